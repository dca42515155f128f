"""Discard: resets drafts to the live release."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import transaction
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import (
    Assignment,
    BannerPlace,
    Brand,
    DatedAssignment,
    Disclaimer,
    DraftEdit,
    Group,
    Sender,
    Template,
    TemplateVersion,
    ValueDraft,
)
from signatures.releases.content import (
    BANNER,
    BANNER_FIELDS,
    BRAND,
    LATER_COMPANY_FIELDS,
    ORDER,
    ReleaseContent,
    ReleasedGroup,
)
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts
from signatures.senders.assignment import DatedTemplate
from signatures.senders.disclaimers import DatedDisclaimer
from signatures.senders.groups import archive_group, reorder_groups, restore_group, set_membership

from .field_settings import put_rule_back
from .templates import assign_template


class DiscardRefused(Exception):
    """Drafts cannot be discarded; the message says why, to a person."""


@transaction.atomic
def discard_drafts(domain: Domain, keys: Collection[str], *, actor: str) -> int:
    """Reset these drafts to the live release; return how many were discarded.

    Teams that came, went or were renamed in Outreach stay drafts, and so does the recipient variable, which has
    a page of its own. A template that was never published is archived. Raises: DiscardRefused.
    """
    Domain.objects.select_for_update().get(pk=domain.pk)  # nobody publishes meanwhile
    before = set(list_drafts(domain))
    if not set(keys) <= before:
        raise DiscardRefused(
            "Some of these drafts have been published or discarded since. Nothing was discarded."
        )
    live = get_live_content(domain)
    for key in keys:
        _discard(domain, live, key, actor)
    _refuse_orphans(domain)
    left = set(list_drafts(domain))
    DraftEdit.objects.filter(domain=domain, key__in=set(keys) - left).delete()
    gone = len(before) - len(left)
    record_act("drafts discarded", domain=domain, actor_label=actor, detail=", ".join(sorted(keys))[:1000])
    return gone


def _discard(domain: Domain, live: ReleaseContent, key: str, actor: str) -> None:
    kind, _, id = key.partition(":")
    pk = int(id or 0)
    if kind == "template":
        _put_template_back(domain, pk, live.templates.get(pk))
    elif kind == BRAND:
        company = {**dict.fromkeys(LATER_COMPANY_FIELDS, ""), **live.company}
        Brand.objects.update_or_create(domain=domain, defaults=company)
        _put_disclaimers_back(domain, None, live.disclaimers)
    elif kind == BANNER:
        fields = {
            name: live.banner[name] for name in BANNER_FIELDS if name != "variable" and name in live.banner
        }
        BannerPlace.objects.update_or_create(domain=domain, defaults=fields)
        BannerPlace.objects.touch(domain)
    elif kind == "group":
        group, released = Group.objects.filter(domain=domain, pk=pk).first(), live.group_by_id.get(pk)
        if group is not None:
            _put_group_back(group, released, actor)
            _put_assignment_back(domain, released.template_id if released else None, actor, group=group)
            _put_dated_back(domain, released.assignments if released else (), group=group)
            Group.objects.filter(pk=pk).update(
                company_values=dict(released.values) if released else {},
                field_values=dict(released.fields) if released else {},
            )
            _put_disclaimers_back(domain, group, released.disclaimers if released else ())
    elif kind == "person":
        sender = Sender.objects.filter(domain=domain, pk=pk).first()
        if sender is not None:
            _put_assignment_back(domain, live.people.get(pk), actor, sender=sender)
            _put_dated_back(domain, live.dated_people.get(pk, ()), sender=sender)
    elif kind == "field":
        put_rule_back(domain, pk, live.fields.get(pk))
    elif kind == ORDER:
        known = set(Group.objects.filter(domain=domain, is_default=False).values_list("pk", flat=True))
        order = [group.id for group in live.groups if group.id in known]
        reorder_groups(domain, order, actor=actor)
    else:
        ValueDraft.objects.filter(sender__domain=domain, sender=pk).delete()


def _put_disclaimers_back(
    domain: Domain, group: Group | None, disclaimers: Iterable[DatedDisclaimer]
) -> None:
    Disclaimer.objects.filter(domain=domain, group=group).delete()
    Disclaimer.objects.bulk_create(
        Disclaimer(
            domain=domain,
            group=group,
            text=each.text,
            starts_on=each.starts or None,
            ends_on=each.ends or None,
        )
        for each in disclaimers
    )


def _put_group_back(group: Group, released: ReleasedGroup | None, actor: str) -> None:
    """Put back whom a group takes, and whether it is in use where that does not follow a team."""
    if group.is_default:
        return
    if released is not None:
        if group.archived_at and not group.follows_team_id:
            restore_group(group, actor=actor)
        set_membership(group, released, actor=actor)
    elif group.archived_at is None and not group.follows_team_id:
        archive_group(group, actor=actor)


def _put_template_back(domain: Domain, pk: int, version_id: int | None) -> None:
    templates = Template.objects.filter(domain=domain, pk=pk)
    if version_id is None:
        templates.update(archived_at=timezone.now())
    elif TemplateVersion.objects.filter(pk=version_id, template=pk).exists():
        templates.update(current=version_id, archived_at=None)


def _put_assignment_back(
    domain: Domain,
    template_id: int | None,
    actor: str,
    *,
    group: Group | None = None,
    sender: Sender | None = None,
) -> None:
    template = Template.objects.filter(domain=domain, pk=template_id or 0).first()
    assign_template(domain, template=template, group=group, sender=sender, actor=actor)


def _put_dated_back(
    domain: Domain,
    assignments: Iterable[DatedTemplate],
    *,
    group: Group | None = None,
    sender: Sender | None = None,
) -> None:
    DatedAssignment.objects.filter(domain=domain, group=group, sender=sender).delete()
    DatedAssignment.objects.bulk_create(
        DatedAssignment(
            domain=domain,
            template_id=each.template_id,
            group=group,
            sender=sender,
            starts_on=each.starts or None,
            ends_on=each.ends or None,
        )
        for each in assignments
    )


def _refuse_orphans(domain: Domain) -> None:
    """Raise DiscardRefused where a template to be archived is assigned in another draft."""
    for model in (Assignment, DatedAssignment):
        orphans = model._default_manager.filter(domain=domain, template__archived_at__isnull=False)
        orphan = (
            orphans.select_related("template", "group", "sender")
            .exclude(group__archived_at__isnull=False)
            .first()
        )
        if orphan is None:
            continue
        raise DiscardRefused(
            f"“{orphan.group or orphan.sender}” is assigned “{orphan.template}” in another draft. "
            "Discard both, or neither. Nothing was discarded."
        )
