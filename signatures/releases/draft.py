"""Draft: the content that publishing everything would make live, read from what is edited now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from django.utils import timezone

from portal.models import Domain
from portal.page_reads import once_per_page, read_anew, remembers_reads
from signatures.models import DraftEdit
from signatures.senders.assignment import DatedTemplate
from signatures.senders.dated_rows import list_dated
from signatures.senders.draft_rows import pair_draft_rows, read_draft_rows
from signatures.senders.grouping import list_active_groups, make_rule, read_people
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
    """Return the domain's content as it is edited now; three queries, whatever its size."""
    return read_draft(domain).content


@once_per_page
def read_draft(domain: Domain) -> Draft:
    """Return the draft of the domain, beside which release it is a draft for; three queries."""
    domain = domain if remembers_reads(domain) else read_anew(domain)
    brand, slot = get_company(domain)
    by_group = pair_draft_rows(domain, "of_group")
    live = [(row.id, row.text) for row in read_draft_rows(domain, "live")]
    included, excluded = read_people(domain)
    place = slot.place
    disclaimers, dated = list_disclaimers(domain), list_dated_templates(domain)
    content = ReleaseContent(
        templates=pair_draft_rows(domain, "template"),
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
                fields=dict(sorted(group.field_values.items())),
                disclaimers=disclaimers.get(group.pk, ()),
                assignments=dated.get(f"group:{group.pk}", ()),
            )
            for group in list_active_groups(domain)
        ),
        people=pair_draft_rows(domain, "of_sender"),
        fields=dict(list_field_rules(domain)),
        disclaimers=disclaimers.get(None, ()),
        dated_people={
            int(key.removeprefix("person:")): each for key, each in dated.items() if key.startswith("person:")
        },
    )
    senders = sorted({row.id for row in read_draft_rows(domain, "values")})
    return Draft(content, live[0] if live else None, tuple(senders))


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
