"""Admin of the ledger, read-only: its entries, their daily figures, checkpoints and checks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.ledger.verification import check_and_note
from integrations.models import ChainCheck, LedgerChain, LedgerCheckpoint, LedgerDay, LedgerEntry, SigningKey

from .base import DomainFilter, ReadOnlyAdmin, ScopeFilter, act_on_each, say_instant
from .long_lists import LongReadOnlyAdmin, list_chain_ids


class KindFilter(admin.SimpleListFilter):
    """Tells calls from privileged acts, and reads from writes."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("act", "Admin actions"),
            ("read", "Reads"),
            ("write", "Writes"),
            ("token", "Authentication"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "act":
            return queryset.exclude(action="call")
        return queryset.filter(verb=self.value()) if self.value() else queryset


@admin.register(LedgerEntry)
class LedgerEntryAdmin(LongReadOnlyAdmin):
    """Calls and privileged acts, appended by the portal alone."""

    list_display = [
        "instant",
        "domain_name",
        "sequence",
        "what",
        "scope",
        "outcome",
        "status",
        "times",
        "who",
    ]
    list_filter = [KindFilter, "outcome", ScopeFilter, DomainFilter]
    search_fields = ["job", "actor_label", "object_ref", "action"]
    search_takes = "A whole job, person or action, or the id of a mailbox that was written."
    date_hierarchy = "at"
    list_select_related = ["domain"]
    exclude = ["domain"]  # its name outlives it

    def find(self, words: str) -> Q:
        known = Q(domain__in=list_chain_ids())
        found = Q(action=words) | (known & Q(object_ref=words, verb="write"))
        for column in ("job", "actor_label"):
            found |= (known & Q(**{column: words})) | Q(**{column: words}, domain=None)
        return found

    def list_date_ends(self, entries: QuerySet[LedgerEntry]) -> list[datetime]:
        """Return the first and the last instant of each chain: an index has them, and no other entry is read."""
        of_chain = entries.filter(domain=OuterRef("pk"))
        ends = {
            name: Subquery(of_chain.order_by(order).values("at")[:1])
            for name, order in (("first_at", "at"), ("last_at", "-at"))
        }
        found = [*LedgerChain.objects.order_by().annotate(**ends).values_list(*ends)]
        without_domain = entries.filter(domain=None).order_by()
        found.append(tuple(without_domain.aggregate(first_at=Min("at"), last_at=Max("at")).values()))
        return [at for pair in found for at in pair if at is not None]

    @admin.display(description="At", ordering="at")
    def instant(self, entry: LedgerEntry) -> str:
        return say_instant(entry.at)

    @admin.display(description="What", ordering="endpoint")
    def what(self, entry: LedgerEntry) -> str:
        return entry.endpoint or entry.action

    @admin.display(description="Actor and job", ordering="job")
    def who(self, entry: LedgerEntry) -> str:
        return ", ".join(word for word in (entry.actor_label, entry.job) if word)


class ChainDomainFilter(DomainFilter):
    """The same for rows that reach their domain through its chain, of a domain that is gone as well."""

    path = "chain__domain"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(chain__domain_name=self.value()) if self.value() else queryset


@admin.register(LedgerChain)
class LedgerChainAdmin(ReadOnlyAdmin):
    """One domain's chain: its head, and how its last check ended."""

    list_display = ["name", "count", "digest", "last_check"]
    search_fields = ["domain_name"]
    exclude = ["domain"]
    readonly_fields = ["last_check", "entries"]
    actions = ["check_selected"]

    @admin.display(description="Domain", ordering="domain_name")
    def name(self, chain: LedgerChain) -> str:
        return chain.domain_name or "no domain"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerChain]:
        newest = ChainCheck.objects.filter(chain=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                checked_at=Subquery(newest.values("at")[:1]),
                was_intact=Subquery(newest.values("is_intact")[:1]),
            )
        )

    @admin.display(description="Last check")
    def last_check(self, chain: Any) -> str:
        if chain.checked_at is None:
            return "not checked yet"
        return f"{'intact' if chain.was_intact else 'BROKEN'}, {say_instant(chain.checked_at)}"

    @admin.display(description="Entries")
    def entries(self, chain: LedgerChain) -> SafeString:
        address = reverse("admin:integrations_ledgerentry_changelist")
        return format_html(
            '<a href="{}?domain={}">Entries of {}</a>', address, chain.domain_name, self.name(chain)
        )

    @admin.action(description="Check: read every entry")
    def check_selected(self, request: HttpRequest, rows: QuerySet[LedgerChain]) -> None:
        def act(chain: LedgerChain) -> str:
            check = check_and_note(chain)
            return (
                f"intact, {check.entries:,} entries read." if check.is_intact else f"BROKEN. {check.finding}"
            )

        act_on_each(request, rows, act)


@admin.register(LedgerDay)
class LedgerDayAdmin(ReadOnlyAdmin):
    """What each day's entries of one kind add up to; the figures of the portal's pages."""

    list_display = ["day", "domain", "what", "scope", "verb", "outcome", "calls", "job_kind", "actor_label"]
    list_filter = [ScopeFilter, "verb", "outcome", ChainDomainFilter]
    search_fields = ["=scope", "=action", "=endpoint", "=job_kind", "actor_label"]
    list_select_related = ["chain"]
    exclude = ["shape"]

    @admin.display(description="Domain", ordering="chain__domain_name")
    def domain(self, row: LedgerDay) -> str:
        return row.chain.domain_name

    @admin.display(description="What", ordering="endpoint")
    def what(self, row: LedgerDay) -> str:
        return row.endpoint or row.action


@admin.register(ChainCheck)
class ChainCheckAdmin(ReadOnlyAdmin):
    """Each night's check as it ended."""

    list_display = ["instant", "domain", "is_intact", "entries", "finding"]
    list_filter = ["is_intact", ChainDomainFilter]
    search_fields = ["=chain__domain_name", "finding", "=digest"]
    date_hierarchy = "at"
    list_select_related = ["chain"]

    @admin.display(description="At", ordering="at")
    def instant(self, check: ChainCheck) -> str:
        return say_instant(check.at)

    @admin.display(description="Domain", ordering="chain__domain_name")
    def domain(self, check: ChainCheck) -> str:
        return check.chain.domain_name


@admin.register(LedgerCheckpoint)
class LedgerCheckpointAdmin(ReadOnlyAdmin):
    """Where a ledger was pruned, and what went."""

    list_display = ["instant", "domain", "last_sequence", "actor_label", "key_id"]
    list_filter = [ChainDomainFilter]
    search_fields = ["=chain__domain_name", "=actor_label"]
    date_hierarchy = "made_at"
    list_select_related = ["chain"]

    @admin.display(description="At", ordering="made_at")
    def instant(self, checkpoint: LedgerCheckpoint) -> str:
        return say_instant(checkpoint.made_at)

    @admin.display(description="Domain", ordering="chain__domain_name")
    def domain(self, checkpoint: LedgerCheckpoint) -> str:
        return checkpoint.chain.domain_name


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """The public halves of the keys that exports and checkpoints are signed with."""

    list_display = ["key_id", "public_key", "created_at", "retired_at"]
    hidden = ("private_sealed",)
