"""Releases, drafts and mailbox status in Django admin: to look at. Delivery settings are edited, by the same rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyAdmin
from integrations.ledger.record import record_act
from portal.access import get_actor
from signatures.models import (
    DeliverySettings,
    DraftEdit,
    LeftAlone,
    MailboxState,
    Release,
    SignatureHtml,
    ValueDraft,
)
from signatures.rendering.fields import FIELDS, Source


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """What was published, by whom and when."""

    list_display = ["__str__", "domain", "state", "note", "published_by_label", "published_at", "publish_at"]
    list_filter = ["state", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=number", "note", "published_by_label", "domain__name", "=digest"]
    date_hierarchy = "published_at"
    show_full_result_count = False
    exclude = ["published_by"]  # its label outlives the account


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
class MailboxStateAdmin(ReadOnlyAdmin):
    """How each mailbox compares with the live release."""

    list_display = ["mailbox", "domain", "status", "reason", "since"]
    list_filter = ["status", DomainFilter]
    list_select_related = ["mailbox", "domain"]
    search_fields = ["mailbox__email", "=mailbox__remote_id", "=reason_code"]
    date_hierarchy = "since"
    show_full_result_count = False


@admin.register(SignatureHtml)
class SignatureHtmlAdmin(ReadOnlyAdmin):
    """Texts that were written or found, once each."""

    list_display = ["__str__", "domain", "kept_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=sha256"]
    date_hierarchy = "kept_at"
    show_full_result_count = False


@admin.register(LeftAlone)
class LeftAloneAdmin(ReadOnlyAdmin):
    """Mailboxes that no delivery changes."""

    list_display = ["mailbox_email", "domain", "why", "decided_by_label", "decided_at", "until"]
    list_filter = ["why", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["mailbox_email", "=mailbox_remote_id", "decided_by_label"]
    date_hierarchy = "decided_at"


class DeliverySettingsForm(forms.ModelForm):
    """Stages as numbers, and fields by name, so that no page has to read JSON."""

    live_fields = forms.MultipleChoiceField(
        label="Fields that go live by themselves",
        required=False,
        choices=[(one.name, one.label) for one in FIELDS if one.source in (Source.PORTAL, Source.OUTREACH)],
        help_text="Values of these fields need no release, whoever types them.",
    )
    stages = forms.CharField(
        required=False,
        help_text="Mailboxes of each stage, such as 5, 50. Everybody left follows.",
    )

    class Meta:
        model = DeliverySettings
        fields = [
            "domain",
            "live_fields",
            "automatic_cap_percent",
            "stages",
            "stage_pause_minutes",
            "refusal_limit",
            "drift_limit",
            "quiet_from",
            "quiet_until",
            "writes_per_hour",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sizes = [str(size) for size in self.instance.stages if size is not None]
        self.initial["stages"] = ", ".join(sizes)

    def clean_stages(self) -> list[int | None]:
        words = self.cleaned_data["stages"].replace(",", " ").split()
        if not all(
            word.isascii() and word.isdigit() and int(word[:9]) > 0 and len(word) < 8 for word in words
        ):
            raise forms.ValidationError("Enter numbers above 0, such as 5, 50.")
        return [*map(int, words), None]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (cleaned.get("quiet_from") is None) != (cleaned.get("quiet_until") is None):
            self.add_error("quiet_until", "Enter both times of the quiet hours, or neither.")
        return cleaned


@admin.register(DeliverySettings)
class DeliverySettingsAdmin(OperatorAdmin):
    """How a domain's signatures are delivered; a domain without a row has the defaults."""

    form = DeliverySettingsForm
    list_display = ["domain", "automatic_cap_percent", "refusal_limit", "drift_limit", "writes_per_hour"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["domain__name"]

    def get_readonly_fields(self, request: HttpRequest, obj: DeliverySettings | None = None) -> list[str]:
        return ["domain"] if obj else []

    @transaction.atomic
    def save_model(
        self, request: HttpRequest, obj: DeliverySettings, form: forms.ModelForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            record_act(
                "delivery settings changed",
                domain=obj.domain,
                actor_label=get_actor(request).email,
                detail=", ".join(form.changed_data),
            )
