"""What a domain may show, read from its rows once and held in memory: the input of `signatures.campaigns.selection`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from portal.models import Domain
from signatures.audiences.conditions import AudienceError, Condition, parse_audience
from signatures.models import Banner, BannerPlace, Campaign

from .selection import BannerRule, CampaignRule, Cap, rank


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


class Entry(NamedTuple):
    """One campaign as it is or was kept. audience: conditions as they are stored."""

    id: int
    name: str
    priority: int
    starts_at: datetime
    ends_at: datetime | None
    audience: Any
    cap_times: int | None
    cap_days: int | None
    is_paused: bool
    banners: tuple[BannerRule, ...]
    group_ids: frozenset[int]


def load_board(domain: Domain, *, since: datetime | None = None) -> Board:
    """Return the board as the rows are now, in four queries.

    since: leaves out what ended before it; None for every campaign that is not archived.
    A campaign whose audience cannot be read matches nobody, rather than everybody.
    """
    version = BannerPlace.objects.for_domain(domain).version
    rows = Campaign.objects.filter(domain=domain, archived_at=None)
    if since is not None:
        rows = rows.filter(Q(ends_at=None) | Q(ends_at__gt=since))
    return make_board(domain, version, read_entries(rows))


def make_board(domain: Domain, version: int, entries: Iterable[Entry]) -> Board:
    """Return the board of these campaigns, in the order they are asked."""
    rules, audiences = [], {}
    for entry in entries:
        try:
            conditions = parse_audience(entry.audience)
        except AudienceError:
            conditions, has_audience = (), True
        else:
            has_audience = bool(conditions)
        if conditions:
            audiences[entry.id] = conditions
        rules.append(
            CampaignRule(
                id=entry.id,
                name=entry.name,
                priority=entry.priority,
                starts_at=entry.starts_at,
                ends_at=entry.ends_at,
                banners=entry.banners,
                group_ids=entry.group_ids,
                has_audience=has_audience,
                cap=Cap(entry.cap_times, entry.cap_days) if entry.cap_times and entry.cap_days else None,
                is_paused=entry.is_paused,
            )
        )
    return Board(domain.pk, version, ZoneInfo(domain.time_zone), tuple(rank(rules)), audiences)


def read_entries(campaigns: QuerySet[Campaign]) -> Iterator[Entry]:
    """Yield the campaigns as their rows are now, in three queries."""
    banners, group_ids = _read_banners(campaigns), _read_groups(campaigns)
    rows = campaigns.values_list(
        "pk", "name", "priority", "starts_at", "ends_at", "audience", "cap_times", "cap_days", "paused_at"
    )
    for pk, name, priority, starts_at, ends_at, audience, cap_times, cap_days, paused_at in rows:
        yield Entry(
            id=pk,
            name=name,
            priority=priority,
            starts_at=starts_at,
            ends_at=ends_at,
            audience=audience,
            cap_times=cap_times,
            cap_days=cap_days,
            is_paused=paused_at is not None,
            banners=tuple(banners[pk]),
            group_ids=frozenset(group_ids[pk]),
        )


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
