"""Result views: impressions, clicks and coverage of campaigns, exports, and the methodology."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.charts import Plot, draw_bars
from portal.csv_export import write_lines
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.analytics import bot_agents, bot_rules, coverage, results
from signatures.analytics.aggregation import SETTLE
from signatures.analytics.banner_comparison import compare_banners
from signatures.forms.results import CarrierFilters, PeriodForm, SenderResultFilters
from signatures.models import BannerEvent, BannerPlace, Campaign, RecipientPrivacy

from .common import get_page, give_csv


@dataclass(frozen=True, slots=True)
class Asked:
    """The scope of a results page. campaign_id: None for all campaigns."""

    form: PeriodForm
    period: results.Period
    campaign_id: int | None = None
    name: str = ""
    has_carriers: bool = False


def _ask(request: HttpRequest, domain: Domain, campaign_id: int | None = None) -> Asked:
    """Return the requested scope; 404 for a campaign that was never one of this domain's."""
    name = ""
    if campaign_id is not None:
        found = results.find_name(domain, campaign_id)
        if found is None:
            raise Http404("No such campaign.")
        name = found
    today = timezone.localtime(timezone.now(), ZoneInfo(domain.time_zone)).date()
    form = PeriodForm(request.GET, today=today, since=results.get_first_day(domain, campaign_id))
    is_there = campaign_id is not None and Campaign.objects.filter(domain=domain, pk=campaign_id).exists()
    return Asked(form, form.get_period(), campaign_id, name, is_there)


@require(Permission.VIEW)
@require_safe
def results_overview(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show every campaign's figures, and totals by day."""
    asked = _ask(request, domain)
    words, sort = request.GET.get("q", "")[:120], results.get_sort(request.GET.get("sort", ""))
    page = get_page(request, results.find_campaigns(domain, asked.period, words=words, sort=sort))
    days = results.list_days(domain, asked.period)
    context = {
        "asked": asked,
        "words": words,
        "sort": sort,
        "columns": COLUMNS,
        "page_obj": page,
        "lines": results.list_campaigns(domain, page.object_list),
        "total": results.get_total(domain, asked.period),
        "plots": _draw(days),
        "was_counted": asked.form.has_counts,
        "waiting": _is_waiting(domain),
    }
    return render(request, "signatures/results/overview.html", context)


@require(Permission.VIEW)
@require_safe
def result(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show one campaign by day, banner and group."""
    asked = _ask(request, domain, pk)
    days = results.list_days(domain, asked.period, campaign_id=pk)
    banners = results.list_banners(domain, asked.period, pk)
    context = {
        "asked": asked,
        "days": days,
        "is_by_week": len(days) < asked.period.days,
        "total": results.get_total(domain, asked.period, campaign_id=pk),
        "plots": _draw(days),
        "banners": banners,
        "findings": compare_banners(banners),
        "groups": results.list_groups(domain, asked.period, pk),
        "waiting": _is_waiting(domain),
    }
    return render(request, "signatures/results/campaign.html", context)


@require(Permission.VIEW)
@require_safe
def result_senders(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show one campaign by sender."""
    asked = _ask(request, domain, pk)
    filters = SenderResultFilters(request.GET, domain=domain)
    sort = results.get_sort(request.GET.get("sort", ""))
    found = results.find_senders(domain, asked.period, pk, sort=sort, **filters.get_choices())
    page = get_page(request, found)
    context = {
        "asked": asked,
        "filters": filters,
        "is_filtered": any(request.GET.get(name) for name in filters.fields),
        "sort": sort,
        "columns": COLUMNS,
        "page_obj": page,
        "lines": results.list_senders(page.object_list),
    }
    return render(request, "signatures/results/senders.html", context)


@require(Permission.VIEW)
@require_safe
def result_carriers(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show a campaign's coverage."""
    campaign = _get_campaign(domain, pk)
    filters = CarrierFilters(request.GET, domain=domain)
    page = get_page(request, coverage.find_carriers(campaign, **filters.get_choices()))
    context = {
        "campaign": campaign,
        "filters": filters,
        "is_filtered": any(request.GET.get(name) for name in filters.fields),
        "place": BannerPlace.objects.filter(domain=domain).first(),
        "page_obj": page,
        "lines": coverage.list_carriers(campaign, list(page.object_list)),
    }
    return render(request, "signatures/results/coverage.html", context)


def _get_campaign(domain: Domain, pk: int) -> Campaign:
    found = Campaign.objects.filter(domain=domain, pk=pk).first()
    if found is None:
        raise Http404("No such campaign.")
    return found


@require(Permission.VIEW)
@require_safe
def counting(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show the methodology, from the table of rules that the filters use."""
    context = {
        "rules": bot_rules.RULES,
        "families": bot_rules.FAMILIES,
        "proxies": bot_rules.PROXIES,
        "listed": bot_agents.count_names(),
        "list_source": bot_agents.get_source(),
        "privacy": RecipientPrivacy.objects.for_domain(domain),
        "settle_seconds": SETTLE.seconds,
    }
    return render(request, "signatures/results/methodology.html", context)


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:results", reading=True)
@require_safe
def results_export(request: HttpRequest, domain: Domain) -> StreamingHttpResponse:
    """Export every daily count of the period as CSV."""
    asked = _ask(request, domain)
    return _give_counts(request, domain, asked, "banners")


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:results", reading=True)
@require_safe
def result_export(request: HttpRequest, domain: Domain, pk: int) -> StreamingHttpResponse:
    """Export one campaign's daily counts of the period as CSV."""
    asked = _ask(request, domain, pk)
    return _give_counts(request, domain, asked, f"campaign-{pk}")


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:results", reading=True)
@require_safe
def carriers_export(request: HttpRequest, domain: Domain, pk: int) -> StreamingHttpResponse:
    """Export a campaign's coverage with the page's filters as CSV."""
    campaign = _get_campaign(domain, pk)
    found = coverage.find_carriers(campaign, **CarrierFilters(request.GET, domain=domain).get_choices())
    rows = coverage.list_carrier_rows(campaign, found)
    _record(request, domain, f"coverage of “{campaign}”")
    return give_csv(write_lines(coverage.COLUMNS, rows), f"campaign-{pk}-senders")


def _give_counts(request: HttpRequest, domain: Domain, asked: Asked, name: str) -> StreamingHttpResponse:
    rows = results.list_counts(domain, asked.period, campaign_id=asked.campaign_id)
    first, last = asked.period.first, asked.period.last
    _record(request, domain, f"{asked.name or 'all campaigns'}, {first} to {last}")
    return give_csv(write_lines(results.COLUMNS, rows), f"{name}-{domain.name}-{first}-{last}")


def _record(request: HttpRequest, domain: Domain, what: str) -> None:
    record_act("results downloaded", domain=domain, actor_label=get_actor(request).email, detail=what)


COLUMNS = (
    ("name", "Name"),
    ("impressions", "Impressions"),
    ("clicks", "Clicks"),
    ("bot_impressions", "Bot impressions"),
    ("bot_clicks", "Bot clicks"),
)


def _draw(days: list[results.Day]) -> list[Plot]:
    """Return the plots of impressions and clicks, with human traffic in front of the total."""
    by = "a day" if len(days) < 2 or (days[1].on - days[0].on).days == 1 else "a week"
    names = [f"{day.on:%-d %b}" for day in days]

    def draw(
        noun: str, all_of: Callable[[results.Figures], int], some: Callable[[results.Figures], int]
    ) -> Plot:
        return draw_bars(
            f"{noun} {by}",
            names=names,
            everything=[all_of(day.figures) for day in days],
            part=[some(day.figures) for day in days],
            all_name="total",
            part_name="human",
        )

    return [
        draw("Impressions", lambda one: one.all_impressions, lambda one: one.impressions),
        draw("Clicks", lambda one: one.all_clicks, lambda one: one.clicks),
    ]


def _is_waiting(domain: Domain) -> bool:
    """Return whether events are overdue for counting."""
    late = timezone.now() - 10 * SETTLE
    return BannerEvent.objects.filter(is_judged=False, at__lte=late, domain=domain).exists()
