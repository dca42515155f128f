"""Draft: the content that publishing everything would make live, read from what is edited now."""

from __future__ import annotations

from django.utils import timezone

from portal.models import Domain
from signatures.models import Assignment, DraftEdit, FieldSetting, Group, Template
from signatures.senders.values import get_company, list_disclaimers
from signatures.senders.vocabulary import list_field_rules

from .content import (
    FIRST_COMPANY_FIELDS,
    LATER_COMPANY_FIELDS,
    ReleaseContent,
    ReleasedGroup,
)


def build_draft(domain: Domain) -> ReleaseContent:
    """Return the domain's content as it is edited now; five queries, whatever its size."""
    brand, slot = get_company(domain)
    templates = Template.objects.filter(domain=domain, archived_at=None, current__isnull=False)
    assigned = Assignment.objects.filter(domain=domain, template__archived_at=None)
    by_group: dict[int, int] = {}
    by_person: dict[int, int] = {}
    for group_id, sender_id, template_id in assigned.order_by("sender").values_list(
        "group", "sender", "template"
    ):
        if group_id is not None:
            by_group[group_id] = template_id
        elif sender_id is not None:
            by_person[sender_id] = template_id
    groups = Group.objects.filter(domain=domain, archived_at=None).order_by("is_default", "position", "id")
    place = slot.place
    disclaimers = list_disclaimers(domain)
    return ReleaseContent(
        templates=dict(templates.order_by("pk").values_list("pk", "current_id")),
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
                id=group.pk,
                name=group.name,
                team_id=group.follows_team_id,
                is_default=group.is_default,
                template_id=by_group.get(group.pk),
                values=dict(sorted(group.company_values.items())),
                disclaimers=disclaimers.get(group.pk, ()),
            )
            for group in groups
        ),
        people=by_person,
        fields=dict(list_field_rules(FieldSetting.objects.filter(domain=domain))),
        disclaimers=disclaimers.get(None, ()),
    )


def note_edit(domain: Domain, key: str, *, actor: str) -> None:
    """Remember who edited this thing last; shown where it is to be published."""
    DraftEdit.objects.update_or_create(
        domain=domain,
        key=key,
        defaults={"edited_by_label": actor, "edited_at": timezone.now()},
    )
