"""Editing: creates, changes, starts, pauses and archives campaigns, for the portal and Django admin.

A campaign is never deleted, so that its results keep name and images.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.audiences.attributes import parse_audience
from signatures.audiences.lists import refuse_missing_lists
from signatures.conditions.conditions import Clause, flatten
from signatures.models import AudienceTally, Banner, BannerPlace, Campaign, Group

from .checks import CampaignRefused, check_campaign, refuse
from .details import change_row, read_details
from .priority import get_automatic_priority
from .revisions import keep_revision

NAME_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Details:
    """A campaign's editable values, without audience and banners. Datetimes are aware.

    priority: None to place it automatically, see `priority`.
    """

    name: str
    starts_at: datetime
    ends_at: datetime | None = None
    priority: int | None = None
    cap_times: int | None = None
    cap_days: int | None = None
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""


@transaction.atomic
def create_campaign(
    domain: Domain, details: Details, *, groups: Collection[Group] = (), actor: str
) -> Campaign:
    """Create a campaign, paused, so that nothing shows before somebody starts it."""
    refuse(check_campaign(asdict(details)))
    campaign = Campaign(domain=domain, paused_at=timezone.now(), created_by_label=actor)
    change_row(campaign, _place(campaign, details, is_targeted=bool(groups)))
    campaign.full_clean(exclude=["domain"])
    campaign.save()
    campaign.groups.set(_belonging(domain, groups))
    AudienceTally.objects.create(campaign=campaign)
    _changed(campaign, "campaign made", actor=actor, detail=campaign.name)
    return campaign


@transaction.atomic
def change_campaign(
    campaign: Campaign, details: Details, *, groups: Collection[Group], actor: str
) -> list[str]:
    """Save the campaign with `details` and `groups`; return the names of what changed.

    Without a change, nothing is recorded.
    """
    row = _lock(campaign)
    refuse(check_campaign(asdict(details)))
    belonging = _belonging(row.domain, groups)
    before = {group.pk for group in row.groups.all()}
    was_automatic = row.has_automatic_priority
    placed = _place(
        row,
        details,
        is_targeted=bool(belonging or row.audience),
        was_targeted=bool(before or row.audience),
    )
    changes = change_row(row, placed)
    changed = list(changes)
    told = [f"{name}: {_say(old)} → {_say(new)}" for name, (old, new) in changes.items()]
    row.full_clean(exclude=["domain"])
    row.save(update_fields=[*changed, "has_automatic_priority"])
    if row.has_automatic_priority != was_automatic and "priority" not in changes:
        changed.append("priority")
        told.append(f"priority: {'automatic' if row.has_automatic_priority else row.priority}")
    if before != {group.pk for group in belonging}:
        row.groups.set(belonging)
        changed.append("groups")
        told.append("groups: " + (", ".join(group.name for group in belonging) or "all"))
    if changed:
        _changed(row, "campaign changed", actor=actor, detail=f"{row.name}: {'; '.join(told)}")
    return changed


@transaction.atomic
def set_audience(campaign: Campaign, stored: Any, *, actor: str) -> tuple[Clause, ...]:
    """Set the campaign's audience, and reset its count of matched recipients.

    stored: conditions as `Condition.as_json` writes them. Raises: ConditionError, and nothing was changed.
    """
    row = _lock(campaign)
    conditions = parse_audience(stored)
    refuse_missing_lists(row.domain, conditions)
    kept = [condition.as_json() for condition in conditions]
    if kept == row.audience:
        return conditions
    if row.has_automatic_priority and not row.groups.exists() and bool(kept) != bool(row.audience):
        row.priority = get_automatic_priority(row, is_targeted=bool(kept))
    row.audience = kept
    row.save(update_fields=["audience", "priority"])
    AudienceTally.objects.update_or_create(
        campaign=row,
        defaults={"looked_up": 0, "matched": 0, "last_matched_at": None, "counts_since": timezone.now()},
    )
    # Attributes and comparisons, not values: a typed address or name has no place in the ledger.
    said = "; ".join(f"{one.attribute.label} {one.operator}" for one in flatten(conditions)) or "everybody"
    _changed(row, "audience changed", actor=actor, detail=f"{row.name}: {said}")
    return conditions


@transaction.atomic
def copy_campaign(campaign: Campaign, *, actor: str) -> Campaign:
    """Copy the campaign, paused, with the banners that are not archived."""
    row = _lock(campaign)
    copy = create_campaign(
        row.domain,
        read_details(Details, vars(row) | {"name": f"Copy of {row.name}"[:NAME_LENGTH]}),
        groups=list(row.groups.all()),
        actor=actor,
    )
    copy.audience = row.audience
    copy.save(update_fields=["audience"])
    for banner in row.banners.filter(archived_at=None):
        Banner.objects.create(
            campaign=copy,
            **{
                name: getattr(banner, name)
                for name in ("name", "image_id", "alt", "link", "weight", "utm_content")
            },
        )
    keep_revision(copy)
    return copy


@transaction.atomic
def start_campaign(campaign: Campaign, *, actor: str) -> None:
    """Start the campaign; its schedule still applies. Raises: CampaignRefused without a banner."""
    row = _lock(campaign)
    if row.paused_at is None:
        return
    if not row.banners.filter(archived_at=None).exists():
        raise CampaignRefused(f"“{row.name}” has no banner to show. Add one, then start it.")
    row.paused_at = None
    row.save(update_fields=["paused_at"])
    _changed(row, "campaign started", actor=actor, detail=row.name)


@transaction.atomic
def pause_campaign(campaign: Campaign, *, actor: str) -> None:
    """Pause the campaign until it is started again; lower-priority ones show instead."""
    row = _lock(campaign)
    if row.paused_at is not None:
        return
    row.paused_at = timezone.now()
    row.save(update_fields=["paused_at"])
    _changed(row, "campaign paused", actor=actor, detail=row.name)


@transaction.atomic
def archive_campaign(campaign: Campaign, *, actor: str) -> None:
    """Archive the campaign: it ends and leaves the lists; its results stay."""
    row = _lock_any(campaign)
    if row.archived_at is not None:
        return
    row.archived_at = timezone.now()
    row.save(update_fields=["archived_at"])
    _changed(row, "campaign archived", actor=actor, detail=row.name)


@transaction.atomic
def bring_back_campaign(campaign: Campaign, *, actor: str) -> None:
    """Restore an archived campaign, paused."""
    row = _lock_any(campaign)
    if row.archived_at is None:
        return
    row.archived_at, row.paused_at = None, row.paused_at or timezone.now()
    row.save(update_fields=["archived_at", "paused_at"])
    _changed(row, "campaign brought back", actor=actor, detail=row.name)


def _place(
    campaign: Campaign, details: Details, *, is_targeted: bool, was_targeted: bool | None = None
) -> Details:
    """Return the details with a priority, and note on the campaign whether it is automatic.

    was_targeted: None for a new campaign. Saved again as it is, an automatically placed campaign stays where it is.
    """
    stays = campaign.has_automatic_priority and is_targeted == was_targeted
    campaign.has_automatic_priority = details.priority is None
    if details.priority is not None:
        return details
    placed = campaign.priority if stays else get_automatic_priority(campaign, is_targeted=is_targeted)
    return replace(details, priority=placed)


def _lock_any(campaign: Campaign) -> Campaign:
    """Return the current row, archived or not, locked until the transaction ends."""
    return Campaign.objects.select_for_update(of=("self",)).select_related("domain").get(pk=campaign.pk)


def _lock(campaign: Campaign) -> Campaign:
    """Return the current row, locked until the transaction ends. Raises: CampaignRefused if archived."""
    row = _lock_any(campaign)
    if row.archived_at is not None:
        raise CampaignRefused(f"“{row.name}” is archived. Restore the campaign to change it.")
    return row


def _belonging(domain: Domain, groups: Collection[Group]) -> list[Group]:
    if any(group.domain_id != domain.pk for group in groups):
        raise ValueError("A campaign and its groups must be of the same domain.")
    return list(groups)


def _say(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M %Z}"
    return "none" if value in (None, "") else str(value)


def _changed(campaign: Campaign, action: str, *, actor: str, detail: str) -> None:
    """Record the change in the ledger and as a revision, and let every process reload the ruleset."""
    BannerPlace.objects.touch(campaign.domain)
    keep_revision(campaign)
    record_act(
        action,
        domain=campaign.domain,
        actor_label=actor,
        object_ref=f"campaign {campaign.pk}",
        detail=detail,
    )
