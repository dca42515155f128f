"""Releases, drafts and mailbox status in Django admin: read-only, except for delivery settings."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyAdmin
from integrations.admin.long_lists import LongReadOnlyAdmin, find_mailboxes
from portal.access import get_actor
from signatures.delivery.settings import save_settings
from signatures.forms.delivery_settings import DeliverySettingsForm
from signatures.models import (
    DeliverySettings,
    DraftEdit,
    LeftAlone,
    MailboxState,
    Release,
    ReleaseRequest,
    SignatureHtml,
    ValueDraft,
)


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """What was published, by whom and when."""

    list_display = ["__str__", "domain", "state", "note", "published_by_label", "published_at", "publish_at"]
    list_filter = ["state", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=number", "note", "published_by_label", "domain__name", "=digest"]
    date_hierarchy = "published_at"
    exclude = ["published_by"]  # its label outlives the account


@admin.register(ReleaseRequest)
class ReleaseRequestAdmin(ReadOnlyAdmin):
    """What was asked for, and what a second person decided; decided on the domain's pages alone."""

    list_display = ["__str__", "domain", "state", "note", "asked_by_label", "asked_at", "decided_by_label"]
    list_filter = ["state", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["note", "comment", "asked_by_label", "decided_by_label", "domain__name"]
    date_hierarchy = "asked_at"
    exclude = ["asked_by", "mailed_state", "mail_not_before"]


@admin.register(DraftEdit)
class DraftEditAdmin(ReadOnlyAdmin):
    """Who edited what last."""

    list_display = ["key", "domain", "edited_by_label", "edited_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["key", "edited_by_label", "domain__name"]
    date_hierarchy = "edited_at"


class SenderDomainFilter(DomainFilter):
    path = "sender__domain"


@admin.register(ValueDraft)
class ValueDraftAdmin(ReadOnlyAdmin):
    """Values that wait for a release."""

    list_display = ["sender", "field", "value", "edited_by_label", "edited_at"]
    list_filter = [SenderDomainFilter, "field"]
    list_select_related = ["sender__domain"]
    search_fields = ["sender__name", "sender__email", "edited_by_label"]
    date_hierarchy = "edited_at"


@admin.register(MailboxState)
class MailboxStateAdmin(LongReadOnlyAdmin):
    """How each mailbox compares with the live release."""

    list_display = ["mailbox", "domain", "status", "reason", "since"]
    list_filter = ["status", DomainFilter]
    list_select_related = ["mailbox", "domain"]
    search_fields = ["mailbox__email", "mailbox__remote_id"]
    search_takes = "A whole address of a mailbox, or its id in Outreach."

    def find(self, words: str) -> Q:
        return Q(mailbox__in=list(find_mailboxes(words).values_list("pk", flat=True)))


@admin.register(SignatureHtml)
class SignatureHtmlAdmin(ReadOnlyAdmin):
    """Signature texts that were written or found, once each."""

    list_display = ["__str__", "domain", "kept_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=sha256"]
    date_hierarchy = "kept_at"


@admin.register(LeftAlone)
class LeftAloneAdmin(ReadOnlyAdmin):
    """Mailboxes that no delivery changes."""

    list_display = ["mailbox_email", "domain", "why", "decided_by_label", "decided_at", "until"]
    list_filter = ["why", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["mailbox_email", "=mailbox_remote_id", "decided_by_label"]
    date_hierarchy = "decided_at"


class DeliverySettingsOperatorForm(DeliverySettingsForm):
    """The same settings, and of which domain."""

    class Meta(DeliverySettingsForm.Meta):
        fields = ["domain", *DeliverySettingsForm.Meta.fields]


@admin.register(DeliverySettings)
class DeliverySettingsAdmin(OperatorAdmin):
    """How a domain's signatures are delivered; a domain without a row has the defaults."""

    form = DeliverySettingsOperatorForm
    list_display = ["domain", "automatic_cap_percent", "refusal_limit", "drift_limit", "writes_per_hour"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name"]

    def get_readonly_fields(self, request: HttpRequest, obj: DeliverySettings | None = None) -> list[str]:
        return ["domain"] if obj else []

    def save_model(
        self, request: HttpRequest, obj: DeliverySettings, form: forms.ModelForm, change: bool
    ) -> None:
        changed = form.changed_data if change else [*form.changed_data, "domain"]
        save_settings(obj, changed, actor=get_actor(request).email)
