"""Draft rows: small rows of what is edited in a domain now, all kinds read in one statement where a page asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, CharField, F, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, JSONObject

from portal.models import Domain
from portal.page_reads import once_per_page, remembers_reads
from signatures.models import (
    Assignment,
    DatedAssignment,
    Disclaimer,
    DraftEdit,
    FieldSetting,
    Group,
    Release,
    ReleaseState,
    Template,
    ValueDraft,
)

Columns = QuerySet[Any, tuple[str, int, Any, str]]


class DraftRow(NamedTuple):
    """id, and other: as its kind of `KINDS` has them. text: a name, a digest, or columns as a JSON object."""

    id: int
    other: int | None
    text: str


def read_draft_rows(domain: Domain, kind: str) -> Sequence[DraftRow]:
    """Return the domain's rows of one kind, by id; one query, and for a page one for every kind."""
    if remembers_reads(domain):
        return _read_all(domain).get(kind, ())
    return _sort(KINDS[kind](domain, kind))[kind]


def pair_draft_rows(domain: Domain, kind: str) -> dict[int, int]:
    """Return id -> other of the domain's rows of one kind."""
    return {row.id: row.other for row in read_draft_rows(domain, kind) if row.other is not None}


def read_all_draft_rows(domain: Domain) -> Mapping[str, Sequence[DraftRow]]:
    """Return the rows of every kind, of a domain that remembers its reads; one query."""
    return _read_all(domain)


@once_per_page
def _read_all(domain: Domain) -> Mapping[str, Sequence[DraftRow]]:
    first, *others = (select(domain, kind) for kind, select in KINDS.items())
    return _sort(first.union(*others, all=True))


def _sort(rows: Columns) -> dict[str, list[DraftRow]]:
    found: dict[str, list[DraftRow]] = {kind: [] for kind in KINDS}
    for kind, *columns in rows:
        found[kind].append(DraftRow(*columns))
    return {kind: sorted(of_kind) for kind, of_kind in found.items()}


def _select(
    rows: QuerySet[Any], kind: str, id: str, other: Combinable | None = None, text: Combinable | None = None
) -> Columns:
    return rows.order_by().values_list(
        Value(kind, CharField()),
        F(id),
        other or Value(None, BigIntegerField()),
        text or Value("", TextField()),
    )


def _make_object(*columns: str, lists: Collection[str] = ()) -> Cast:
    """Return a JSON object of these columns as text. lists: columns that hold JSON themselves, as texts in it."""
    texts = {column: Cast(column, TextField()) for column in lists}
    return Cast(JSONObject(**{column: F(column) for column in columns}, **texts), TextField())


def _select_templates(domain: Domain, kind: str) -> Columns:
    usable = Template.objects.filter(domain=domain, archived_at=None, current__isnull=False)
    return _select(usable, kind, "pk", F("current_id"), F("name"))


def _select_other_templates(domain: Domain, kind: str) -> Columns:
    others = Template.objects.filter(domain=domain).exclude(archived_at=None, current__isnull=False)
    return _select(others, kind, "pk", text=F("name"))


def _select_group_assignments(domain: Domain, kind: str) -> Columns:
    return _select(_list_assignments(domain).exclude(group=None), kind, "group_id", F("template_id"))


def _select_sender_assignments(domain: Domain, kind: str) -> Columns:
    return _select(_list_assignments(domain).exclude(sender=None), kind, "sender_id", F("template_id"))


def _list_assignments(domain: Domain) -> QuerySet[Assignment]:
    return Assignment.objects.filter(domain=domain, template__archived_at=None)


def _select_dated_assignments(domain: Domain, kind: str) -> Columns:
    rows = DatedAssignment.objects.filter(domain=domain, template__archived_at=None)
    said = _make_object("group_id", "sender_id", "starts_on", "ends_on")
    return _select(rows, kind, "pk", F("template_id"), said)


def _select_included(domain: Domain, kind: str) -> Columns:
    rows = Group.included.through.objects.filter(group__domain=domain)
    return _select(rows, kind, "group_id", F("sender_id"))


def _select_excluded(domain: Domain, kind: str) -> Columns:
    rows = Group.excluded.through.objects.filter(group__domain=domain)
    return _select(rows, kind, "group_id", F("sender_id"))


def _select_live(domain: Domain, kind: str) -> Columns:
    live = Release.objects.filter(domain=domain, state=ReleaseState.LIVE)
    return _select(live, kind, "pk", text=F("digest"))


def _select_value_drafts(domain: Domain, kind: str) -> Columns:
    return _select(ValueDraft.objects.filter(sender__domain=domain), kind, "sender_id")


def _select_disclaimers(domain: Domain, kind: str) -> Columns:
    rows = Disclaimer.objects.filter(domain=domain)
    return _select(rows, kind, "pk", F("group_id"), _make_object("text", "starts_on", "ends_on"))


def _select_field_settings(domain: Domain, kind: str) -> Columns:
    said = _make_object(*FIELD_COLUMNS, lists=FIELD_LISTS)
    return _select(FieldSetting.objects.filter(domain=domain), kind, "pk", text=said)


def _select_groups(domain: Domain, kind: str) -> Columns:
    said = _make_object("name", "follows_team_id", "is_default", "position", lists=GROUP_LISTS)
    return _select(Group.objects.filter(domain=domain, archived_at=None), kind, "pk", text=said)


def _select_edits(domain: Domain, kind: str) -> Columns:
    said = _make_object("key", "edited_by_label", "edited_at")
    return _select(DraftEdit.objects.filter(domain=domain), kind, "pk", text=said)


FIELD_COLUMNS = ("name", "label", "help", "default", "is_required", "taken_from", "date_format", "removed_at")
GROUP_LISTS = ("team_ids", "rule", "company_values", "field_values")
FIELD_LISTS = ("order", "clean_up")
# id and other of each kind; the first one has values in columns whose types others leave open.
KINDS: Mapping[str, Callable[[Domain, str], Columns]] = {
    "template": _select_templates,  # that can be assigned; its current version
    "other_template": _select_other_templates,  # archived, or without a version; none
    "of_group": _select_group_assignments,  # group; template
    "of_sender": _select_sender_assignments,  # sender; template
    "dated": _select_dated_assignments,  # its own; template
    "included": _select_included,  # group; sender
    "excluded": _select_excluded,  # group; sender
    "live": _select_live,  # the live release; none, its digest
    "values": _select_value_drafts,  # sender, once for each value; none
    "disclaimer": _select_disclaimers,  # its own; its group or none
    "setting": _select_field_settings,  # its own; none
    "group": _select_groups,  # its own, without archived ones; none
    "edit": _select_edits,  # its own; none
}
