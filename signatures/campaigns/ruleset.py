"""Ruleset: a domain's campaigns and audiences, read from their rows, as `campaigns.selection` needs them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from portal.models import Domain
from signatures.audiences.attributes import parse_audience
from signatures.conditions.conditions import Clause, ConditionError
from signatures.models import Banner, BannerPlace, Campaign

from .selection import BannerRule, CampaignRule, Cap, rank


@dataclass(frozen=True, slots=True)
class Ruleset:
    """A domain's campaigns by priority, each with its audience.

    version: of the banner slot when this was read; an older ruleset is out of date.
    audiences: campaign id -> its conditions, for campaigns that have any.
    """

    domain_id: int
    version: int
    zone: ZoneInfo
    campaigns: tuple[CampaignRule, ...]
    audiences: Mapping[int, tuple[Clause, ...]]

    def get_caps(self) -> dict[int, Cap]:
        """Return campaign id -> cap, of campaigns that have one."""
        return {campaign.id: campaign.cap for campaign in self.campaigns if campaign.cap}


def load_ruleset(domain: Domain, *, since: datetime | None = None) -> Ruleset:
    """Return the current ruleset, in four queries.

    since: leaves out what ended before it; None for every campaign that is not archived. A campaign with an
    invalid audience matches nobody.
    """
    version = BannerPlace.objects.for_domain(domain).version
    rows = Campaign.objects.filter(domain=domain, archived_at=None)
    if since is not None:
        rows = rows.filter(Q(ends_at=None) | Q(ends_at__gt=since))
    return make_ruleset(domain, version, read_campaigns(rows))


def make_ruleset(domain: Domain, version: int, campaigns: Iterable[tuple[CampaignRule, Any]]) -> Ruleset:
    """Return the ruleset of these campaigns, each with its stored audience."""
    rules, audiences = [], {}
    for rule, stored in campaigns:
        rules.append(rule)
        with suppress(ConditionError):
            if conditions := parse_audience(stored):
                audiences[rule.id] = conditions
    return Ruleset(domain.pk, version, ZoneInfo(domain.time_zone), tuple(rank(rules)), audiences)


def read_campaigns(campaigns: QuerySet[Campaign]) -> Iterator[tuple[CampaignRule, Any]]:
    """Yield the campaigns, each with its stored audience, in three queries."""
    banners, group_ids = _read_banners(campaigns), _read_groups(campaigns)
    for row in campaigns.values():
        yield CampaignRule.from_row(row, banners[row["id"]], group_ids[row["id"]]), row["audience"]


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
