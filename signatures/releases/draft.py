"""Draft: the content that publishing everything would make live, read from what is edited now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.utils import timezone

from portal.models import Domain
from portal.page_reads import once_per_page, read_anew, remembers_reads
from signatures.models import DraftEdit
from signatures.senders.assignment import DatedTemplate
from signatures.senders.dated_rows import list_dated
from signatures.senders.draft_rows import (
    GROUP_LISTS,
    pair_draft_rows,
    read_all_draft_rows,
    read_draft_rows,
)
from signatures.senders.grouping import read_people
from signatures.senders.values import get_company, list_disclaimers
from signatures.senders.vocabulary import list_field_rules

from .content import (
    FIRST_COMPANY_FIELDS,
    LATER_COMPANY_FIELDS,
    ReleaseContent,
    ReleasedGroup,
    list_changed_keys,
)
from .live import load_content


@dataclass(frozen=True)
class Draft:
    """What is edited now. live: id and digest of the live release. value_senders: ids, of those with value drafts."""

    content: ReleaseContent
    live: tuple[int, str] | None
    value_senders: tuple[int, ...]

    @property
    def value_keys(self) -> tuple[str, ...]:
        """`values:ID` for each sender with values that wait for a release."""
        return tuple(f"values:{id}" for id in self.value_senders)

    @cached_property
    def changed_keys(self) -> tuple[str, ...]:
        """The key of each thing that differs from the live release; see `content`. Raises: ReleaseDamaged."""
        return tuple(list_changed_keys(load_content(self.live), self.content))


def build_draft(domain: Domain) -> ReleaseContent:
    """Return the domain's content as it is edited now; three queries, whatever its size."""
    return read_draft(domain).content


@once_per_page
def read_draft(domain: Domain) -> Draft:
    """Return the draft of the domain, beside which release it is a draft for; two queries.

    The process keeps the last one it made of each domain, for as long as everything that it was made of is the same.
    """
    domain = domain if remembers_reads(domain) else read_anew(domain)
    brand, slot = get_company(domain)
    company = {name: getattr(brand, name) for name in FIRST_COMPANY_FIELDS}
    company |= {name: value for name in LATER_COMPANY_FIELDS if (value := getattr(brand, name))}
    banner = {name: getattr(slot.place, name) for name in ("is_on", "width", "height", "alt")}
    banner["variable"] = slot.variable
    made_of = (company, banner, read_all_draft_rows(domain))
    kept = _KEPT.get(domain.pk)
    if kept is None or kept[0] != made_of:
        kept = made_of, _make_draft(domain, company, banner)
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        _KEPT[domain.pk] = kept
    return kept[1]


MOST_KEPT = 32  # domains
_KEPT: dict[int, tuple[object, Draft]] = {}


def _make_draft(domain: Domain, company: dict[str, Any], banner: dict[str, Any]) -> Draft:
    dated = list_dated_templates(domain)
    content = ReleaseContent(
        templates=pair_draft_rows(domain, "template"),
        company=company,
        banner=banner,
        groups=tuple(_list_groups(domain, dated)),
        people=pair_draft_rows(domain, "of_sender"),
        fields=dict(list_field_rules(domain)),
        disclaimers=list_disclaimers(domain).get(None, ()),
        dated_people={
            int(key.removeprefix("person:")): each for key, each in dated.items() if key.startswith("person:")
        },
    )
    live = [(row.id, row.text) for row in read_draft_rows(domain, "live")]
    senders = sorted({row.id for row in read_draft_rows(domain, "values")})
    return Draft(content, live[0] if live else None, tuple(senders))


def _list_groups(domain: Domain, dated: Mapping[str, tuple[DatedTemplate, ...]]) -> Iterator[ReleasedGroup]:
    by_group, disclaimers = pair_draft_rows(domain, "of_group"), list_disclaimers(domain)
    included, excluded = read_people(domain)
    rows = [(row.id, json.loads(row.text)) for row in read_draft_rows(domain, "group")]
    for id, said in sorted(rows, key=lambda row: (row[1]["is_default"], row[1]["position"], row[0])):
        lists = {name: json.loads(said[name]) for name in GROUP_LISTS}
        yield ReleasedGroup(
            id=id,
            name=said["name"],
            team_id=said["follows_team_id"],
            is_default=bool(said["is_default"]),
            teams=tuple(lists["team_ids"]),
            included=tuple(included.get(id, ())),
            excluded=tuple(excluded.get(id, ())),
            rule=tuple(lists["rule"]),
            template_id=by_group.get(id),
            values=dict(sorted(lists["company_values"].items())),
            fields=dict(sorted(lists["field_values"].items())),
            disclaimers=disclaimers.get(id, ()),
            assignments=dated.get(f"group:{id}", ()),
        )


def list_dated_templates(domain: Domain) -> Mapping[str, tuple[DatedTemplate, ...]]:
    """Return the templates for some days by the key of their group or sender, the earliest first."""
    found: dict[str, tuple[DatedTemplate, ...]] = {}
    for row in list_dated(domain):
        key = f"group:{row.group_id}" if row.group_id else f"person:{row.sender_id}"
        found[key] = (*found.get(key, ()), DatedTemplate(row.template_id, **row.get_dates()))
    return found


def list_edits(domain: Domain) -> list[DraftEdit]:
    """Return who edited each thing last, and when; not to be saved."""
    edits = [DraftEdit(**json.loads(row.text)) for row in read_draft_rows(domain, "edit")]
    for edit in edits:
        at = datetime.fromisoformat(str(edit.edited_at))
        edit.edited_at = (
            at if at.tzinfo else at.replace(tzinfo=UTC)
        )  # SQLite keeps moments without their zone
    return edits


def note_edit(domain: Domain, key: str, *, actor: str) -> None:
    """Remember who edited this thing last; shown where it is to be published."""
    DraftEdit.objects.update_or_create(
        domain=domain,
        key=key,
        defaults={"edited_by_label": actor, "edited_at": timezone.now()},
    )
