"""What a domain may show, read from its rows once and held in memory: the input of `signatures.campaigns`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import F, Q, QuerySet

from portal.models import Domain

from .audience import AudienceError, Condition, parse_audience
from .campaigns import BannerRule, CampaignRule, Cap, rank
from .models import Banner, BannerPlace, Campaign


@dataclass(frozen=True, slots=True)
class Board:
    """A domain's campaigns in the order they are asked, each with its audience.

    version: of the place when this was read; an older board is out of date.
    audiences: campaign id -> its conditions, for campaigns that have any.
    """

    domain_id: int
    version: int
    zone: ZoneInfo
    campaigns: tuple[CampaignRule, ...]
    audiences: Mapping[int, tuple[Condition, ...]]

    def get_caps(self) -> dict[int, Cap]:
        """Return campaign id -> cap, of campaigns that have one."""
        return {campaign.id: campaign.cap for campaign in self.campaigns if campaign.cap}


def get_place(domain: Domain) -> BannerPlace:
    """Return the domain's place for banners; it is made, switched off, where there is none."""
    place, _ = BannerPlace.objects.get_or_create(domain=domain)
    return place


def touch(domain: Domain) -> None:
    """Every process reads the domain's board anew. Call it in the transaction of the change."""
    get_place(domain)
    BannerPlace.objects.filter(domain=domain).update(version=F("version") + 1)


def load_board(domain: Domain, *, since: datetime | None = None) -> Board:
    """Return the board as the rows are now, in four queries.

    since: leaves out what ended before it; None for every campaign that is not archived.
    A campaign whose audience cannot be read matches nobody, rather than everybody.
    """
    version = get_place(domain).version
    rows = Campaign.objects.filter(domain=domain, archived_at=None)
    if since is not None:
        rows = rows.filter(Q(ends_at=None) | Q(ends_at__gt=since))
    banners, group_ids = _read_banners(rows), _read_groups(rows)
    rules, audiences = [], {}
    for pk, audience, cap_times, cap_days, paused_at, name, priority, starts_at, ends_at in rows.values_list(
        "pk", "audience", "cap_times", "cap_days", "paused_at", "name", "priority", "starts_at", "ends_at"
    ):
        try:
            conditions = parse_audience(audience)
        except AudienceError:
            conditions, has_audience = (), True
        else:
            has_audience = bool(conditions)
        if conditions:
            audiences[pk] = conditions
        rules.append(
            CampaignRule(
                id=pk,
                name=name,
                priority=priority,
                starts_at=starts_at,
                ends_at=ends_at,
                banners=tuple(banners[pk]),
                group_ids=frozenset(group_ids[pk]),
                has_audience=has_audience,
                cap=Cap(cap_times, cap_days) if cap_times and cap_days else None,
                is_paused=paused_at is not None,
            )
        )
    return Board(domain.pk, version, ZoneInfo(domain.time_zone), tuple(rank(rules)), audiences)


# Plain values and no model objects: those hold each other in circles once they are prefetched, and whoever serves
# banners would wait for the garbage collector after each change.
def _read_banners(campaigns: QuerySet[Campaign]) -> dict[int, list[BannerRule]]:
    found: dict[int, list[BannerRule]] = defaultdict(list)
    rows = Banner.objects.filter(campaign__in=campaigns, archived_at=None).order_by("pk")
    for campaign_id, pk, weight in rows.values_list("campaign_id", "pk", "weight"):
        found[campaign_id].append(BannerRule(pk, weight))
    return found


def _read_groups(campaigns: QuerySet[Campaign]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    rows = Campaign.groups.through.objects.filter(campaign__in=campaigns)
    for campaign_id, group_id in rows.values_list("campaign_id", "group_id"):
        found[campaign_id].append(group_id)
    return found
