"""Revisions: stores campaigns with each change, and reads them as of a time in the past."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.models import Domain
from signatures.models import BannerPlace, Campaign, CampaignRevision

from .ruleset import Ruleset, make_ruleset, read_campaigns
from .selection import CampaignRule


@dataclass(frozen=True, slots=True)
class Past:
    """A domain's campaigns as of a time.

    image_ids: banner id -> its image then. unsure: ids of campaigns of which only a later state is stored and
    used. made_later: how many present campaigns did not exist yet.
    """

    ruleset: Ruleset
    image_ids: Mapping[int, int]
    unsure: frozenset[int]
    made_later: int


def keep_revision(campaign: Campaign) -> None:
    """Store a revision from the campaign's rows. Call it after a change, in its transaction."""
    # Held, so that whoever changes the same campaign at the same time sees this change, or is seen by it.
    row = Campaign.objects.select_for_update().get(pk=campaign.pk)
    ((rule, audience),) = read_campaigns(Campaign.objects.filter(pk=row.pk))
    image_ids = dict(row.banners.filter(archived_at=None).values_list("pk", "image_id"))
    CampaignRevision.objects.create(
        campaign=row,
        since=timezone.now(),
        rule={
            **rule.as_json(),
            "banners": [[banner.id, banner.weight, image_ids[banner.id]] for banner in rule.banners],
            "audience": audience,
            "is_archived": row.archived_at is not None,
        },
    )


def load_past(domain: Domain, at: datetime) -> Past:
    """Return the campaigns as they were at `at`, without those created later."""
    campaigns = Campaign.objects.filter(domain=domain, created_at__lte=at)
    found = {
        rule.id: (rule, audience) for rule, audience in read_campaigns(campaigns.filter(archived_at=None))
    }
    unsure = set(found)
    image_ids: dict[int, int] = {}
    for campaign_id, since, rule in _find_revisions(campaigns, at):
        unsure.discard(campaign_id)
        found.pop(campaign_id, None)
        if not rule["is_archived"]:
            found[campaign_id] = (CampaignRule.from_json(campaign_id, rule), rule["audience"])
            image_ids.update({banner_id: image_id for banner_id, _, image_id in rule["banners"]})
            if since > at:
                unsure.add(campaign_id)
    ruleset = make_ruleset(domain, BannerPlace.objects.for_domain(domain).version, found.values())
    made_later = Campaign.objects.filter(domain=domain, created_at__gt=at).count()
    return Past(ruleset, image_ids, frozenset(unsure), made_later)


def get_old_revisions(domains: Collection[Domain], *, until: datetime) -> QuerySet[CampaignRevision]:
    """Return revisions of these domains that another one followed before `until`: no event of that time is kept."""
    later = CampaignRevision.objects.filter(
        campaign=OuterRef("campaign"), since__gt=OuterRef("since"), since__lte=until
    )
    return CampaignRevision.objects.filter(Exists(later), campaign__domain__in=domains, since__lt=until)


def _find_revisions(
    campaigns: QuerySet[Campaign], at: datetime
) -> QuerySet[Any, tuple[int, datetime, dict[str, Any]]]:
    """Return each campaign's revision as of `at`; its first one where there was none yet."""
    own = CampaignRevision.objects.filter(campaign=OuterRef("pk"))
    held = own.filter(since__lte=at).order_by("-since", "-pk").values("pk")[:1]
    first = own.order_by("since", "pk").values("pk")[:1]
    chosen = campaigns.annotate(revision=Coalesce(Subquery(held), Subquery(first))).values("revision")
    return CampaignRevision.objects.filter(pk__in=chosen).values_list("campaign_id", "since", "rule")
