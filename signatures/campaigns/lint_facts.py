"""Lint facts: reads the linter's input and the states of campaigns from a domain's rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from django.db.models import Count
from django.db.models.functions import Coalesce

from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import get_lookup_block_reason
from portal.models import Domain
from signatures.audiences.labels import find_unlabelled, get_names
from signatures.models import (
    AudienceTally,
    BannerPlace,
    Campaign,
    DecisionKey,
    RecipientList,
    RecipientPrivacy,
    Sender,
    TemplateVersion,
)
from signatures.releases.live import ReleaseDamaged, get_content, get_live
from signatures.senders.grouping import list_active_groups

from .lint import Facts, Finding, Level, Tally, get_blockers, lint_campaigns
from .ruleset import Ruleset, load_ruleset
from .timeline import get_state


def lint_domain(domain: Domain, ruleset: Ruleset, *, at: datetime) -> dict[int, list[Finding]]:
    """Return the findings of `lint_campaigns` for the domain's ruleset and rows."""
    place = BannerPlace.objects.for_domain(domain)
    senders: dict[int | None, int] = defaultdict(int)
    active = Sender.objects.filter(domain=domain, is_active=True).order_by()
    for group_id, number in active.values_list(
        Coalesce("memberships__group", "group")  # its group alone, until its groups were evaluated
    ).annotate(number=Count("pk")):
        senders[group_id] += number
    names = get_names(domain)
    lists = RecipientList.objects.filter(domain=domain).annotate(number=Count("entries")).order_by()
    keys = DecisionKey.objects.filter(domain=domain, revoked_at=None)
    tallies = AudienceTally.objects.filter(campaign__domain=domain, campaign__in=ruleset.audiences)
    facts = Facts(
        at=at,
        place_is_on=place.is_on,
        why_not_published=_get_publishing_gap(domain),
        senders=dict(senders),
        group_names={group.pk: group.name for group in list_active_groups(domain)},
        why_no_prospects=get_lookup_block_reason(get_connection(domain)),
        knows_recipients=bool(RecipientPrivacy.objects.for_domain(domain).recipient_variable)
        or keys.exists(),
        lists={str(row.pk): (row.name, row.number) for row in lists},
        unlabelled={pk: find_unlabelled(conditions, names) for pk, conditions in ruleset.audiences.items()},
        tallies={row.pk: Tally(row.looked_up, row.matched, row.counts_since) for row in tallies},
    )
    return lint_campaigns(ruleset, facts)


def _get_publishing_gap(domain: Domain) -> str:
    """Return why no published signature has a banner slot, with what to do; '' where one has."""
    release = get_live(domain)
    if release is None:
        return "Nothing is published yet, so no signature has a banner slot. Publish a release."
    try:
        content = get_content(release)
    except ReleaseDamaged as error:
        return str(error)
    if not content.banner.get("is_on"):
        return "The banner slot is off in the published release. Publish the banner settings."
    used = TemplateVersion.objects.filter(pk__in=content.templates.values()).values_list("fields", flat=True)
    if any(name.startswith("banner.") for fields in used for name in fields):
        return ""
    return "No published template has a banner slot. Add one to a template and publish it."


def get_states(domain: Domain, *, at: datetime) -> dict[int, str]:
    """Return campaign id -> its state, as `timeline.get_state` names it; archived campaigns are left out."""
    ruleset = load_ruleset(domain)
    findings = lint_domain(domain, ruleset, at=at)
    return {
        rule.id: get_state(rule, at, is_blocked=bool(get_blockers(findings.get(rule.id, ()))))
        for rule in ruleset.campaigns
    }


def list_obstacles(campaign: Campaign, *, at: datetime) -> list[str]:
    """Return why the campaign cannot show, each with what to do; empty where it can."""
    ruleset = load_ruleset(campaign.domain)
    findings = lint_domain(campaign.domain, ruleset, at=at)
    return [one.sentence for one in findings.get(campaign.pk, ()) if one.level == Level.NEVER]
