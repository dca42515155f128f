"""Admin of counts and banner events: read-only, without recipients' pseudonyms."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin
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
class BannerEventAdmin(ReadOnlyAdmin):
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
    search_fields = ["=id", "=campaign_id", "=sender_id", "=domain__name"]
    hidden = ("visitor_key",)
    exclude = ["visitor_key"]
    ordering = ["-id"]


@admin.register(CountingState)
class CountingStateAdmin(ReadOnlyAdmin):
    """How far each domain's events are counted and removed."""

    list_display = ["domain", "counted_until", "events_removed_until"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name"]


@admin.register(DailyCount)
class DailyCountAdmin(ReadOnlyAdmin):
    """What one banner did in one sender's signature on one day."""

    list_display = ["day", "domain", "campaign_name", "banner_name", "group_name", "sender_name", *FIGURES]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["campaign_name", "banner_name", "sender_name", "=campaign_id", "=domain__name"]
    date_hierarchy = "day"
    ordering = ["-id"]


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    """The same over all senders of a group."""

    list_display = ["day", "domain", "campaign_name", "banner_name", "group_name", *FIGURES]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["campaign_name", "banner_name", "group_name", "=campaign_id", "=domain__name"]
    date_hierarchy = "day"
    ordering = ["-id"]
