"""Admin of connections and of what was read through them, read-only; no sealed column is shown."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.catalogue import list_scope_names
from integrations.connection.assumptions import describe as describe_assumptions
from integrations.connection.health import describe
from integrations.connection.lifecycle import ResumeRefused, check_connection, pause, resume
from integrations.connection.permissions import SwitchRefused, switch_off, switch_on
from integrations.forms import AdminSwitchForm
from integrations.ledger.usage import summarise
from integrations.models import (
    AssumptionReport,
    CallBudget,
    Connection,
    Mailbox,
    Notice,
    Person,
    Receipt,
    RejectedRecord,
    SyncKind,
    SyncRun,
    Team,
)
from integrations.sync.runs import SyncRefused, request_sync
from portal.access import get_actor
from portal.background import enqueue

from .base import (
    ConnectionDomainFilter,
    DomainFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    RetiredFilter,
    act_on_each,
    say_instant,
)
from .long_lists import LongList, find_mailboxes, list_connection_ids, list_spellings


class CallBudgetInline(ReadOnlyInline):
    model = CallBudget
    fields = ["used", "limit", "window_ends_at", "blocked_until"]
    verbose_name_plural = "calls this hour"


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    """One authorised account: how it is, what it may do, and what it did with that."""

    list_display = [
        "domain",
        "condition",
        "account_label",
        "mode",
        "authorised_by_label",
        "authorised_at",
    ]
    list_display_links = ["domain"]
    hidden = ("access_sealed", "refresh_sealed")
    list_filter = ["state", "mode", ("paused_at", admin.EmptyFieldListFilter), DomainFilter]
    change_form_template = "admin/integrations/connection/change_form.html"
    list_select_related = ["domain"]
    search_fields = ["domain__name", "account_label", "authorised_by_label"]
    date_hierarchy = "authorised_at"
    actions = ["sync_now", "check_selected", "pause_writing", "resume_writing", "switch_scope"]
    inlines = [CallBudgetInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "domain",
                    "provider",
                    "condition",
                    "state_reason",
                    "state_changed_at",
                    "portal_page",
                ]
            },
        ),
        ("Account", {"fields": ["account_label", "account_key", "authorised_by_label", "authorised_at"]}),
        ("Writing", {"fields": ["mode", "paused_at", "restored_at"]}),
        ("Permissions", {"fields": ["requested", "granted", "switched_off", "scopes_known"]}),
        ("Access", {"fields": ["refreshed_at", "lapses_at", "clock_skew_seconds", "clock_compared_at"]}),
        (
            "Leaving",
            {
                "classes": ["collapse"],
                "fields": [
                    "disconnect_step",
                    "disconnect_restores",
                    "disconnect_requested_by_label",
                    "disconnected_at",
                    "revocation_confirmed",
                ],
            },
        ),
    ]

    @admin.display(description="Status")
    def condition(self, connection: Connection) -> str:
        return describe(connection).label

    @admin.display(description="In the portal")
    def portal_page(self, connection: Connection) -> SafeString:
        address = reverse("integrations:outreach", args=[connection.domain.name])
        return format_html('<a href="{}">Outreach page of {}</a>', address, connection.domain.name)

    @admin.display(description="Requested")
    def requested(self, connection: Connection) -> str:
        return " ".join(connection.scopes_requested)

    @admin.display(description="Granted")
    def granted(self, connection: Connection) -> str:
        return " ".join(connection.scopes_granted)

    @admin.display(description="Switched off here")
    def switched_off(self, connection: Connection) -> str:
        return " ".join(connection.scopes_switched_off)

    @admin.display(description="Token expires", empty_value="-")
    def lapses_at(self, connection: Connection) -> str:
        return say_instant(connection.refresh_lapses_at)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        connection = context["original"]
        context |= {
            "uses": summarise(connection.domain, connection, over=connection),
            "connection": connection,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description="Sync now: read what changed")
    def sync_now(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        person = get_actor(request)

        def act(connection: Connection) -> str:
            run = request_sync(connection, kind=SyncKind.CHANGES, by=person, actor=person.email)
            enqueue("integrations.tasks.sync_directory", run_id=run.pk)
            return f"sync {run.pk} is queued."

        act_on_each(request, rows, act, refusals=(SyncRefused,))

    @admin.action(description="Check connection")
    def check_selected(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        for connection in rows:
            health = check_connection(connection, actor=get_actor(request).email)
            level = messages.SUCCESS if health.is_ok else messages.ERROR
            self.message_user(request, f"{connection}: {health.sentence}", level)

    @admin.action(description="Pause writing")
    def pause_writing(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        def act(connection: Connection) -> str:
            pause(connection, actor=get_actor(request).email)
            return "writing is paused."

        act_on_each(request, rows, act)

    @admin.action(description="Resume writing")
    def resume_writing(self, request: HttpRequest, rows: QuerySet[Connection]) -> None:
        def act(connection: Connection) -> str:
            resume(connection, actor=get_actor(request).email)
            return "writing is allowed again."

        act_on_each(request, rows, act, refusals=(ResumeRefused,))

    @admin.action(description="Switch a permission off or on here…")
    def switch_scope(self, request: HttpRequest, rows: QuerySet[Connection]) -> TemplateResponse | None:
        person = get_actor(request)
        form = AdminSwitchForm(request.POST if "turn" in request.POST else None, scopes=list_scope_names())
        if not form.is_valid():
            context = self.admin_site.each_context(request) | {
                "title": "Switch a permission off or on here",
                "opts": self.opts,
                "rows": rows,
                "form": form,
            }
            return TemplateResponse(request, "admin/integrations/connection/switch_scope.html", context)
        scope, turn, reason = (form.cleaned_data[name] for name in ("scope", "turn", "reason"))
        switch = switch_off if turn == "off" else switch_on

        def act(connection: Connection) -> str:
            switch(connection, scope, actor=person.email, reason=reason)
            return f"{scope} is switched {turn} here."

        act_on_each(request, rows, act, refusals=(SwitchRefused,))
        return None


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Who was told because something needed a person, and whether the message was accepted."""

    list_display = [
        "__str__",
        "domain",
        "subject",
        "began_at",
        "sent_at",
        "times_sent",
        "failures",
        "ended_at",
    ]
    list_filter = ["kind", "audience", ("ended_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=domain__name", "subject"]
    date_hierarchy = "began_at"


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    """What was signed when a connection ended."""

    list_display = ["__str__", "created_at", "connection_ref", "is_signed"]
    list_filter = [DomainFilter]
    search_fields = ["=domain_name", "=connection_ref"]
    date_hierarchy = "created_at"
    exclude = ["domain"]  # its name outlives it

    @admin.display(description="Signed", boolean=True)
    def is_signed(self, receipt: Receipt) -> bool:
        return receipt.is_signed


@admin.register(AssumptionReport)
class AssumptionReportAdmin(ReadOnlyAdmin):
    """What checks of the assumptions about Outreach showed."""

    list_display = ["__str__", "domain", "actor_label", "outcome"]
    list_filter = [ConnectionDomainFilter]
    list_select_related = ["connection__domain"]
    search_fields = ["=connection__domain__name", "actor_label"]
    date_hierarchy = "created_at"

    @admin.display(description="Domain", ordering="connection__domain__name")
    def domain(self, row: AssumptionReport) -> str:
        return row.connection.domain.name

    @admin.display(description="Outcome")
    def outcome(self, row: AssumptionReport) -> str:
        return describe_assumptions(row.findings)


MIRROR_FILTERS = (RetiredFilter, ConnectionDomainFilter)


class MirrorAdmin(ReadOnlyAdmin):
    """What Outreach last told us; the next sync writes it, nobody else."""

    list_filter = [*MIRROR_FILTERS]
    list_select_related = ["connection__domain"]

    @admin.display(description="Domain", ordering="connection__domain__name")
    def domain(self, row: Any) -> str:
        return str(row.connection.domain.name)


@admin.register(Team)
class TeamAdmin(MirrorAdmin):
    list_display = ["name", "domain", "remote_id", "changed_at", "retired_at"]
    search_fields = ["name", "=remote_id", "=connection__domain__name"]
    date_hierarchy = "changed_at"


@admin.register(Person)
class PersonAdmin(LongList, MirrorAdmin):
    list_display = ["__str__", "email", "title", "domain", "is_locked", "changed_at", "retired_at"]
    list_filter = ["is_locked", *MIRROR_FILTERS]
    search_fields = ["email", "remote_id"]
    search_takes = "A whole address, or an id in Outreach; names are found among the senders."
    ordering = ["connection_id", "email"]

    def find(self, words: str) -> Q:
        known = Q(connection__in=list_connection_ids())
        return known & (Q(remote_id=words) | Q(email__in=list_spellings(words)))


@admin.register(Mailbox)
class MailboxAdmin(LongList, MirrorAdmin):
    list_display = ["email", "domain", "is_editable", "is_send_disabled", "changed_at", "retired_at"]
    list_filter = ["is_editable", "is_send_disabled", *MIRROR_FILTERS]
    search_fields = ["email", "remote_id"]
    search_takes = "A whole address, or an id in Outreach."
    ordering = ["connection_id", "email"]

    def find(self, words: str) -> Q:
        return Q(pk__in=list(find_mailboxes(words).values_list("pk", flat=True)))


class RejectedRecordInline(ReadOnlyInline):
    model = RejectedRecord
    fields = ["kind", "remote_id", "reason", "number", "first_seen_at"]
    verbose_name_plural = "rejected records"


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """One reading of the directory, as it ended."""

    list_display = [
        "__str__",
        "kind",
        "state",
        "started_by_label",
        "created_at",
        "added",
        "changed",
        "retired",
        "rejected",
    ]
    list_filter = ["state", "kind", ConnectionDomainFilter]
    list_select_related = ["connection__domain"]
    search_fields = ["=id", "connection__domain__name", "started_by_label", "cause"]
    date_hierarchy = "created_at"
    inlines = [RejectedRecordInline]
    exclude = ["started_by"]  # its label outlives the account
