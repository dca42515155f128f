"""Admin of decisions and API keys: read-only but for revoking; no key is shown."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin, act_on_each
from integrations.admin.long_lists import LongReadOnlyAdmin, list_domain_ids, read_number
from portal.access import get_actor
from signatures.decisions.api_keys import revoke_key
from signatures.models import (
    Decision,
    DecisionKey,
    KnownRecipient,
    LookupShare,
    RecipientPrivacy,
    SeenValue,
    VariableTest,
)


@admin.register(DecisionKey)
class DecisionKeyAdmin(ReadOnlyAdmin):
    """API keys of gateways and add-ins. They are created on the portal's page, which shows them once."""

    hidden = ("key_sha256",)
    list_display = [
        "name",
        "prefix",
        "domain",
        "created_at",
        "created_by_label",
        "last_used_at",
        "revoked_at",
    ]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["name", "prefix", "domain__name", "created_by_label"]
    exclude = ["key_sha256", "requests_left", "counted_at"]
    actions = ["revoke"]

    @admin.action(description="Revoke keys")
    def revoke(self, request: HttpRequest, rows: QuerySet[DecisionKey]) -> None:
        by = get_actor(request)

        def act(key: DecisionKey) -> str:
            return "revoked." if revoke_key(key, actor=by.email) else "was already revoked."

        act_on_each(request, rows.select_related("domain"), act)


@admin.register(Decision)
class DecisionAdmin(LongReadOnlyAdmin):
    """Which banner a recipient got; recipients are shown as digests."""

    list_display = ["id", "at", "domain", "sender", "campaign", "banner", "way"]
    list_filter = ["way", DomainFilter]
    list_select_related = ["domain", "sender", "campaign", "banner__campaign"]
    search_fields = ["id", "recipient_key"]
    search_takes = "A decision’s number, or a recipient’s whole digest."

    def find(self, words: str) -> Q:
        found = Q(domain__in=list_domain_ids(), recipient_key=words)
        return found if read_number(words) is None else found | Q(pk=read_number(words))


@admin.register(KnownRecipient)
class KnownRecipientAdmin(ReadOnlyAdmin):
    """Audience matches of the last hour's look-ups."""

    list_display = ["__str__", "domain", "asked_at", "answered_at", "failed_at", "expires_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=recipient_key", "=domain__name"]


@admin.register(LookupShare)
class LookupShareAdmin(ReadOnlyAdmin):
    """Look-ups caused by banner requests within the hour, by network."""

    list_display = ["domain", "network", "used", "ends_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=domain__name", "=network"]


@admin.register(SeenValue)
class SeenValueAdmin(ReadOnlyAdmin):
    """Tags, stages and personas that look-ups saw, without the recipient."""

    list_display = ["attribute", "value", "domain", "seen_on"]
    list_filter = ["attribute", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["value", "=domain__name"]


@admin.register(RecipientPrivacy)
class RecipientPrivacyAdmin(ReadOnlyAdmin):
    """Retention and merge variable of each domain, without its pseudonym key."""

    list_display = ["domain", "event_days", "decision_days", "recipient_variable"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name", "recipient_variable"]
    hidden = ("pepper_sealed",)
    exclude = ["pepper_sealed"]


@admin.register(VariableTest)
class VariableTestAdmin(ReadOnlyAdmin):
    """The latest test of each domain's recipient variable."""

    list_display = ["domain", "variable", "outcome", "masked", "arrived_at", "started_at"]
    list_filter = ["outcome", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=domain__name", "variable"]
    exclude = ["key"]
