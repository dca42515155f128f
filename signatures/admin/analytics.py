"""Admin of counts and banner events: read-only, without recipients' pseudonyms."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin
from integrations.admin.long_lists import NOTHING, LongReadOnlyAdmin, list_domain_ids, read_number
from signatures.analytics.bot_rules import TITLES
from signatures.models import BannerEvent, CountingState, DailyCount, DailyTotal

FIGURES = ["impressions", "clicks", "bot_impressions", "bot_clicks"]


class RuleFilter(admin.SimpleListFilter):
    """The rules as the code knows them: asking 50 million events which they name takes long."""

    title = "rule"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(TITLES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[BannerEvent]) -> QuerySet[BannerEvent]:
        return queryset.filter(rule=self.value()) if self.value() else queryset


@admin.register(BannerEvent)
class BannerEventAdmin(LongReadOnlyAdmin):
    """One fetch of a picture or one click, and the rule that set it apart."""

    list_display = [
        "at",
        "domain",
        "kind",
        "campaign_id",
        "banner_id",
        "sender_id",
        "rule",
        "agent",
        "is_judged",
    ]
    list_filter = ["kind", "is_judged", RuleFilter, DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["id", "sender_id"]
    search_takes = "The number of an event or of a sender."
    hidden = ("visitor_key",)
    exclude = ["visitor_key"]

    def find(self, words: str) -> Q:
        number = read_number(words)
        return NOTHING if number is None else Q(pk=number) | Q(domain__in=list_domain_ids(), sender_id=number)


@admin.register(CountingState)
class CountingStateAdmin(ReadOnlyAdmin):
    """How far each domain's events are counted and removed."""

    list_display = ["domain", "counted_until", "events_removed_until"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name"]


class _CountsAdmin(LongReadOnlyAdmin):
    """Daily counts, found by campaign."""

    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["campaign_id"]
    search_takes = "The number of a campaign."

    def find(self, words: str) -> Q:
        number = read_number(words)
        return NOTHING if number is None else Q(domain__in=list_domain_ids(), campaign_id=number)


@admin.register(DailyCount)
class DailyCountAdmin(_CountsAdmin):
    """What one banner did in one sender's signature on one day."""

    list_display = ["day", "domain", "campaign_name", "banner_name", "group_name", "sender_name", *FIGURES]


@admin.register(DailyTotal)
class DailyTotalAdmin(_CountsAdmin):
    """The same over all senders of a group."""

    list_display = ["day", "domain", "campaign_name", "banner_name", "group_name", *FIGURES]
