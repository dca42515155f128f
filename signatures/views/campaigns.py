"""Campaign views: list with states and timeline, one campaign, and its actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import get_lookup_block_reason
from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.analytics.results import Figures, get_figures
from signatures.audiences.attributes import needs_prospect
from signatures.audiences.labels import get_names
from signatures.campaigns.audience_size import measure_audience
from signatures.campaigns.checks import CampaignRefused
from signatures.campaigns.editing import (
    archive_campaign,
    bring_back_campaign,
    change_campaign,
    copy_campaign,
    create_campaign,
    pause_campaign,
    start_campaign,
)
from signatures.campaigns.links import with_utm
from signatures.campaigns.lint import Finding, Level, get_blockers
from signatures.campaigns.lint_facts import lint_domain, list_obstacles
from signatures.campaigns.ruleset import load_ruleset
from signatures.campaigns.timeline import STATE_LABELS, draw_timeline, get_state
from signatures.conditions.conditions import Clause, Names, say
from signatures.forms.campaigns import CampaignForm
from signatures.models import Banner, BannerPlace, Campaign
from signatures.senders.grouping import list_groups

ARCHIVED_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign in the list."""

    campaign: Campaign
    state: str
    label: str
    groups: tuple[str, ...]
    audience: tuple[str, ...]
    is_dark: bool
    findings: tuple[Finding, ...]
    figures: Figures

    @property
    def worst(self) -> Finding | None:
        """Return the findings that its state does not already show."""
        told = {"paused", "over"}
        return next((one for one in self.findings if one.level != Level.INFO and one.code not in told), None)


def get_campaign(domain: Domain, pk: int) -> Campaign:
    found: Campaign = get_object_or_404(domain.campaigns, pk=pk)
    return found


def get_editable(domain: Domain, pk: int) -> Campaign:
    """Return a campaign that can be changed; 404 for an archived one."""
    found: Campaign = get_object_or_404(
        Campaign.objects.select_related("domain").filter(domain=domain, archived_at=None), pk=pk
    )
    return found


@require(Permission.VIEW)
@require_safe
def campaigns(request: HttpRequest, domain: Domain) -> HttpResponse:
    at = timezone.now()
    ruleset = load_ruleset(domain)
    findings = lint_domain(domain, ruleset, at=at)
    names = get_names(domain, [one for each in ruleset.audiences.values() for one in each])
    why_dark = get_lookup_block_reason(get_connection(domain))
    all_rows = Campaign.objects.filter(domain=domain)
    archived = all_rows.exclude(archived_at=None).order_by("-archived_at")[:ARCHIVED_SHOWN]
    rows = all_rows.filter(Q(archived_at=None) | Q(pk__in=archived.values("pk")))
    by_id = {row.pk: row for row in rows if row.archived_at is None}
    figures = get_figures(by_id)
    blocked = {pk for pk, found in findings.items() if get_blockers(found)}
    groups = list_groups(domain)
    lines = [
        _describe(
            by_id[rule.id],
            [group.name for group in groups if group.pk in rule.group_ids],
            get_state(rule, at, is_blocked=rule.id in blocked),
            ruleset.audiences.get(rule.id, ()),
            names,
            why_dark,
            findings,
            figures.get(rule.id, Figures()),
        )
        for rule in ruleset.campaigns
        if rule.id in by_id
    ]
    context = {
        "zone": ruleset.zone.key,
        "place": BannerPlace.objects.for_domain(domain),
        "lines": sorted(lines, key=lambda line: list(STATE_LABELS).index(line.state)),
        "dark": [line.campaign for line in lines if line.is_dark],
        "why_dark": why_dark,
        "timeline": draw_timeline(ruleset.campaigns, at=at, zone=ruleset.zone, blocked=blocked),
        "archived": sorted(
            (row for row in rows if row.archived_at), key=attrgetter("archived_at"), reverse=True
        ),
    }
    return render(request, "signatures/campaigns/list.html", context)


def _describe(
    campaign: Campaign,
    groups: Iterable[str],
    state: str,
    conditions: tuple[Clause, ...],
    names: Names,
    why_dark: str,
    findings: dict[int, list[Finding]],
    figures: Figures,
) -> Line:
    return Line(
        campaign=campaign,
        state=state,
        label=STATE_LABELS[state],
        groups=tuple(groups),
        audience=tuple(say(one, names) for one in conditions),
        is_dark=bool(why_dark) and needs_prospect(conditions),
        findings=tuple(findings.get(campaign.pk, ())),
        figures=figures,
    )


@require(Permission.VIEW)
@require_safe
def campaign(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_campaign(domain, pk)
    at = timezone.now()
    ruleset = load_ruleset(domain)
    rule = next((one for one in ruleset.campaigns if one.id == found.pk), None)
    findings = lint_domain(domain, ruleset, at=at).get(found.pk, [])
    conditions = ruleset.audiences.get(found.pk, ())
    names = get_names(domain, conditions)
    blockers = get_blockers(findings)
    state = "archived" if rule is None else get_state(rule, at, is_blocked=bool(blockers))
    all_banners = list(found.banners.select_related("image"))
    banners = [banner for banner in all_banners if banner.archived_at is None]
    weights = sum(banner.weight for banner in banners)
    chosen = rule.group_ids if rule else set(found.groups.values_list("pk", flat=True))
    groups = [group for group in list_groups(domain) if group.pk in chosen]
    context = {
        "campaign": found,
        "state": state,
        "state_label": STATE_LABELS[state],
        "zone": ZoneInfo(domain.time_zone).key,
        "groups": groups,
        "audience": [say(one, names) for one in conditions],
        "size": measure_audience(found, [group.pk for group in groups]),
        "why_dark": get_lookup_block_reason(get_connection(domain)) if needs_prospect(conditions) else "",
        "banners": [
            (banner, get_destination(found, banner), round(100 * banner.weight / weights))
            for banner in banners
        ],
        "blockers": blockers,
        "doubts": [one for one in findings if one.level == Level.DOUBT],
        "remarks": [one for one in findings if one.level == Level.INFO],
        "old_banners": [banner for banner in all_banners if banner.archived_at is not None],
    }
    return render(request, "signatures/campaigns/detail.html", context)


def get_destination(campaign: Campaign, banner: Banner) -> str:
    """Return the banner's link with its UTM parameters."""
    return with_utm(
        banner.link,
        source=campaign.utm_source,
        medium=campaign.utm_medium,
        campaign=campaign.utm_campaign,
        content=banner.utm_content,
    )


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_new(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = CampaignForm(
        request.POST if request.method == "POST" else None, instance=Campaign(domain=domain), domain=domain
    )
    if request.method == "POST" and form.is_valid():
        made = create_campaign(
            domain, form.get_details(), groups=form.cleaned_data["groups"], actor=get_actor(request).email
        )
        messages.success(request, f"“{made.name}” created, paused. Add banners, then start it.")
        _show_notes(request, form)
        return redirect("signatures:campaign", domain.name, made.pk)
    return _render_form(request, form, None)


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_change(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_editable(domain, pk)
    form = CampaignForm(request.POST if request.method == "POST" else None, instance=found, domain=domain)
    if request.method == "POST" and form.is_valid():
        changed = change_campaign(
            found, form.get_details(), groups=form.cleaned_data["groups"], actor=get_actor(request).email
        )
        if changed:
            messages.success(request, f"“{form.cleaned_data['name']}” saved.")
        else:
            messages.info(request, "No changes to save.")
        _show_notes(request, form)
        return redirect("signatures:campaign", domain.name, found.pk)
    return _render_form(request, form, get_editable(domain, pk))


def _show_notes(request: HttpRequest, form: CampaignForm) -> None:
    for note in form.notes:
        messages.info(request, note)


def _render_form(request: HttpRequest, form: CampaignForm, present: Campaign | None) -> HttpResponse:
    context = {"form": form, "campaign": present}
    return render(request, "signatures/campaigns/form.html", context, status=422 if form.errors else 200)


def _act(
    request: HttpRequest,
    domain: Domain,
    pk: int,
    act: Callable[..., object],
    said: str,
    find_obstacles: Callable[..., list[str]] | None = None,
) -> HttpResponse:
    found = get_campaign(domain, pk)
    try:
        act(found, actor=get_actor(request).email)
    except CampaignRefused as error:
        messages.error(request, error.message)
    else:
        if obstacles := find_obstacles(found, at=timezone.now()) if find_obstacles else []:
            messages.warning(request, f"“{found.name}” started, but it cannot show. {' '.join(obstacles)}")
        else:
            messages.success(request, f"“{found.name}” {said}")
    return redirect("signatures:campaign", domain.name, found.pk)


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def campaign_start(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    said = "started. It shows from its start date."
    return _act(request, domain, pk, start_campaign, said, list_obstacles)


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def campaign_pause(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    return _act(request, domain, pk, pause_campaign, "paused. It stops showing within minutes.")


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def campaign_archive(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    return _act(request, domain, pk, archive_campaign, "archived. Its results are kept.")


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def campaign_bring_back(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    return _act(request, domain, pk, bring_back_campaign, "restored, paused.")


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def campaign_copy(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_editable(domain, pk)
    copy = copy_campaign(found, actor=get_actor(request).email)
    messages.success(request, f"Copy of “{found.name}” created, paused. Edit it, then start it.")
    return redirect("signatures:campaign", domain.name, copy.pk)
