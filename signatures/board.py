"""What a domain may show, read from its rows once and held in memory: the input of `signatures.campaigns`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import F, Prefetch, Q

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
    banners = Banner.objects.filter(archived_at=None).order_by("pk").only("pk", "weight", "campaign_id")
    rows = rows.prefetch_related(Prefetch("banners", banners), "groups")
    rules, audiences = [], {}
    for row in rows:
        try:
            conditions = parse_audience(row.audience)
        except AudienceError:
            conditions, has_audience = (), True
        else:
            has_audience = bool(conditions)
        if conditions:
            audiences[row.pk] = conditions
        rules.append(_rule(row, has_audience=has_audience))
    return Board(domain.pk, version, ZoneInfo(domain.time_zone), tuple(rank(rules)), audiences)


def _rule(row: Campaign, *, has_audience: bool) -> CampaignRule:
    return CampaignRule(
        id=row.pk,
        name=row.name,
        priority=row.priority,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        banners=tuple(BannerRule(banner.pk, banner.weight) for banner in row.banners.all()),
        group_ids=frozenset(group.pk for group in row.groups.all()),
        has_audience=has_audience,
        cap=Cap(row.cap_times, row.cap_days) if row.cap_times and row.cap_days else None,
        is_paused=row.paused_at is not None,
    )
