"""Draft: the content that publishing everything would make live, read from what is edited now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import BigIntegerField, CharField, F, QuerySet, Value
from django.utils import timezone

from portal.models import Domain
from portal.page_reads import once_per_page
from signatures.models import (
    Assignment,
    Disclaimer,
    DraftEdit,
    FieldSetting,
    Group,
    Release,
    ReleaseState,
    Template,
    ValueDraft,
)
from signatures.senders.grouping import make_rule, read_people
from signatures.senders.groups import list_active_groups
from signatures.senders.values import get_company, list_disclaimers
from signatures.senders.vocabulary import list_field_rules

from .content import (
    FIRST_COMPANY_FIELDS,
    LATER_COMPANY_FIELDS,
    ReleaseContent,
    ReleasedGroup,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is edited now. live: id and digest of the live release. value_senders: ids, of those with value drafts."""

    content: ReleaseContent
    live: tuple[int, str] | None
    value_senders: tuple[int, ...]

    @property
    def value_keys(self) -> tuple[str, ...]:
        """`values:ID` for each sender with values that wait for a release."""
        return tuple(f"values:{id}" for id in self.value_senders)


def build_draft(domain: Domain) -> ReleaseContent:
    """Return the domain's content as it is edited now; at most seven queries, whatever its size."""
    return read_draft(domain).content


@once_per_page
def read_draft(domain: Domain) -> Draft:
    """Return the draft of the domain, beside which release it is a draft for; at most seven queries."""
    brand, slot = get_company(domain)
    found: dict[str, dict[int, Any]] = {}
    digest = ""
    for kind, id, other, text in _select_rows(domain):
        found.setdefault(kind, {})[id] = other
        digest = text or digest
    by_group, live = found.get("of_group", {}), found.get("live")
    included, excluded = read_people(domain) if "by_hand" in found else ({}, {})
    place = slot.place
    disclaimers = list_disclaimers(domain) if "disclaimer" in found else {}
    content = ReleaseContent(
        templates=dict(sorted(found.get("template", {}).items())),
        company={name: getattr(brand, name) for name in FIRST_COMPANY_FIELDS}
        | {name: value for name in LATER_COMPANY_FIELDS if (value := getattr(brand, name))},
        banner={
            "is_on": place.is_on,
            "width": place.width,
            "height": place.height,
            "alt": place.alt,
            "variable": slot.variable,
        },
        groups=tuple(
            ReleasedGroup(
                **asdict(make_rule(group, included, excluded)),
                template_id=by_group.get(group.pk),
                values=dict(sorted(group.company_values.items())),
                disclaimers=disclaimers.get(group.pk, ()),
            )
            for group in list_active_groups(domain)
        ),
        people=dict(sorted(found.get("of_person", {}).items())),
        fields=dict(list_field_rules(domain) if "setting" in found else ()),
        disclaimers=disclaimers.get(None, ()),
    )
    return Draft(
        content, (next(iter(live)), digest) if live else None, tuple(sorted(found.get("values", {})))
    )


def _select_rows(domain: Domain) -> Iterable[tuple[str, int, Any, str]]:
    """Return kind, id, another id and a digest of what needs no more columns, in one statement."""
    templates = Template.objects.filter(domain=domain, archived_at=None, current__isnull=False)
    assigned = Assignment.objects.filter(domain=domain, template__archived_at=None)
    live = Release.objects.filter(domain=domain, state=ReleaseState.LIVE)
    values = ValueDraft.objects.filter(sender__domain=domain)
    # The first one has a value in the column whose type the others leave open.
    return _select(templates, "template", "pk", F("current_id")).union(
        _select(assigned.exclude(group=None), "of_group", "group_id", F("template_id")),
        _select(assigned.exclude(sender=None), "of_person", "sender_id", F("template_id")),
        _select(Group.included.through.objects.filter(group__domain=domain), "by_hand", "pk"),
        _select(Group.excluded.through.objects.filter(group__domain=domain), "by_hand", "pk"),
        _select(live, "live", "pk", text=F("digest")),
        _select(values, "values", "sender_id"),
        _select(Disclaimer.objects.filter(domain=domain), "disclaimer", "pk"),
        _select(FieldSetting.objects.filter(domain=domain), "setting", "pk"),
        all=True,
    )


def _select(
    rows: QuerySet[Any],
    kind: str,
    id: str,
    other: F | None = None,
    text: F | None = None,
) -> QuerySet[Any, tuple[str, int, Any, str]]:
    return rows.order_by().values_list(
        Value(kind, CharField()),
        F(id),
        other or Value(None, BigIntegerField()),
        text or Value("", CharField()),
    )


def note_edit(domain: Domain, key: str, *, actor: str) -> None:
    """Remember who edited this thing last; shown where it is to be published."""
    DraftEdit.objects.update_or_create(
        domain=domain,
        key=key,
        defaults={"edited_by_label": actor, "edited_at": timezone.now()},
    )
