"""Self-service in Django admin: looked at, and access ended. The rest is decided on the domain's own pages."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin, act_on_each
from portal.access import get_actor
from signatures.models import SelfService, SenderAccount, SenderChange, SenderInvitation
from signatures.self_service.accounts import close_account


class SenderDomainFilter(DomainFilter):
    """The same for rows that reach their domain through a sender."""

    path = "sender__domain"


@admin.register(SelfService)
class SelfServiceAdmin(ReadOnlyAdmin):
    """What each domain lets its senders do."""

    list_display = ["domain", "is_on", "allows_sso", "valid_days", "remind_after_days", "contact_email"]
    list_filter = ["is_on", "allows_sso", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name", "contact_email"]


@admin.register(SenderAccount)
class SenderAccountAdmin(ReadOnlyAdmin):
    """Who signs in as which sender."""

    list_display = ["sender", "user", "created_at", "seen_at"]
    list_filter = [SenderDomainFilter]
    list_select_related = ["sender", "user"]
    search_fields = ["sender__name", "sender__email", "user__email"]
    date_hierarchy = "created_at"
    actions = ["end"]

    @admin.action(description="End access")
    def end(self, request: HttpRequest, rows: QuerySet[SenderAccount]) -> None:
        @transaction.atomic
        def act(account: SenderAccount) -> str:
            close_account(account, actor=get_actor(request).email)
            return "access ended; their login stays."

        act_on_each(request, rows.select_related("sender__domain", "user"), act)


@admin.register(SenderInvitation)
class SenderInvitationAdmin(ReadOnlyAdmin):
    """Which senders were invited; the digests of links are not shown."""

    list_display = [
        "email",
        "domain",
        "invited_by",
        "invited_at",
        "expires_at",
        "accepted_at",
        "withdrawn_at",
    ]
    list_filter = [
        ("accepted_at", admin.EmptyFieldListFilter),
        ("withdrawn_at", admin.EmptyFieldListFilter),
        DomainFilter,
    ]
    list_select_related = ["domain", "invited_by"]
    search_fields = ["email", "domain__name", "invited_by__email"]
    date_hierarchy = "invited_at"
    exclude = ["token_sha256"]


@admin.register(SenderChange)
class SenderChangeAdmin(ReadOnlyAdmin):
    """What senders changed themselves, and who approved it."""

    list_display = ["__str__", "state", "made_by_label", "made_at", "decided_by_label", "decided_at"]
    list_filter = ["state", SenderDomainFilter]
    list_select_related = ["sender"]
    search_fields = ["field", "made_by_label", "decided_by_label", "sender__name"]
    date_hierarchy = "made_at"
    exclude = ["mailed_state", "mail_not_before"]
