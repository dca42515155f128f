"""How campaigns were: kept with each change, and put together again for a look back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.models import Domain
from signatures.models import BannerPlace, Campaign, CampaignEdition

from .ruleset import Board, Entry, make_board, read_entries
from .selection import BannerRule


@dataclass(frozen=True, slots=True)
class Past:
    """A domain's campaigns as they were at one instant.

    image_ids: banner id -> the picture it had then.
    unsure: ids of campaigns of which only a later state is kept, and is taken instead.
    made_later: how many campaigns of today were not there yet.
    """

    board: Board
    image_ids: Mapping[int, int]
    unsure: frozenset[int]
    made_later: int


def keep_edition(campaign: Campaign) -> None:
    """From now on the campaign is as its rows say. Call it in the transaction of the change, after it."""
    # Held, so that whoever changes the same campaign at the same time sees this change, or is seen by it.
    row = Campaign.objects.select_for_update().get(pk=campaign.pk)
    (entry,) = read_entries(Campaign.objects.filter(pk=row.pk))
    image_ids = dict(row.banners.filter(archived_at=None).values_list("pk", "image_id"))
    CampaignEdition.objects.create(
        campaign=row,
        since=timezone.now(),
        rule={
            "name": entry.name,
            "priority": entry.priority,
            "starts_at": entry.starts_at.isoformat(),
            "ends_at": entry.ends_at.isoformat() if entry.ends_at else None,
            "audience": entry.audience,
            "cap": [entry.cap_times, entry.cap_days],
            "is_paused": entry.is_paused,
            "is_archived": row.archived_at is not None,
            "banners": [[banner.id, banner.weight, image_ids[banner.id]] for banner in entry.banners],
            "groups": sorted(entry.group_ids),
        },
    )


def load_past(domain: Domain, at: datetime) -> Past:
    """Return the campaigns as they were at `at`; those made later are not among them."""
    campaigns = Campaign.objects.filter(domain=domain, created_at__lte=at)
    entries = {entry.id: entry for entry in read_entries(campaigns.filter(archived_at=None))}
    unsure = set(entries)
    image_ids: dict[int, int] = {}
    for campaign_id, since, rule in _find_editions(campaigns, at):
        unsure.discard(campaign_id)
        entries.pop(campaign_id, None)
        if not rule["is_archived"]:
            entries[campaign_id] = _read(campaign_id, rule)
            image_ids.update({banner_id: image_id for banner_id, _, image_id in rule["banners"]})
            if since > at:
                unsure.add(campaign_id)
    board = make_board(domain, BannerPlace.objects.for_domain(domain).version, entries.values())
    made_later = Campaign.objects.filter(domain=domain, created_at__gt=at).count()
    return Past(board, image_ids, frozenset(unsure), made_later)


def remove_old_editions(domain: Domain, *, until: datetime) -> int:
    """Editions that another one followed before `until` are gone; returns how many."""
    later = CampaignEdition.objects.filter(
        campaign=OuterRef("campaign"), since__gt=OuterRef("since"), since__lte=until
    )
    old = CampaignEdition.objects.filter(Exists(later), campaign__domain=domain, since__lt=until)
    removed, _ = old.delete()
    return removed


def _find_editions(
    campaigns: QuerySet[Campaign], at: datetime
) -> QuerySet[Any, tuple[int, datetime, dict[str, Any]]]:
    """Return the edition that held at `at` of each campaign; its first one where none did yet."""
    own = CampaignEdition.objects.filter(campaign=OuterRef("pk"))
    held = own.filter(since__lte=at).order_by("-since", "-pk").values("pk")[:1]
    first = own.order_by("since", "pk").values("pk")[:1]
    chosen = campaigns.annotate(edition=Coalesce(Subquery(held), Subquery(first))).values("edition")
    return CampaignEdition.objects.filter(pk__in=chosen).values_list("campaign_id", "since", "rule")


def _read(campaign_id: int, rule: dict[str, Any]) -> Entry:
    cap_times, cap_days = rule["cap"]
    return Entry(
        id=campaign_id,
        name=rule["name"],
        priority=rule["priority"],
        starts_at=datetime.fromisoformat(rule["starts_at"]),
        ends_at=datetime.fromisoformat(rule["ends_at"]) if rule["ends_at"] else None,
        audience=rule["audience"],
        cap_times=cap_times,
        cap_days=cap_days,
        is_paused=rule["is_paused"],
        banners=tuple(BannerRule(banner_id, weight) for banner_id, weight, _ in rule["banners"]),
        group_ids=frozenset(rule["groups"]),
    )
