"""Recipient forms: API keys, data subject requests, the merge variable and retention."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError

from signatures.audiences.mail_addresses import is_address
from signatures.models import DecisionKey, RecipientPrivacy


class KeyForm(forms.ModelForm):
    class Meta:
        model = DecisionKey
        fields = ["name"]
        labels = {"name": "Used by"}
        help_texts = {
            "name": "Such as “Mail gateway Frankfurt”. One key per system, so that each can be revoked."
        }


class PersonForm(forms.Form):
    """A recipient's address, which is neither stored nor part of a URL."""

    address = forms.CharField(
        label="E-mail address",
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text="Converted to a pseudonym for the search; the address is not stored.",
    )

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        if not is_address(address):
            raise ValidationError("Enter one address, such as kim@example.com.")
        return address


class VariableForm(forms.Form):
    """The merge variable. typed: the domain's name, to turn it on without a successful test."""

    variable = forms.CharField(
        label="Variable",
        max_length=64,
        initial="{{email}}",
        help_text="As written in Outreach, such as {{email}}. Ask your Outreach administrator for its name.",
    )
    typed = forms.CharField(
        label="Domain name (to turn on without a test)",
        max_length=253,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RetentionForm(forms.ModelForm):
    class Meta:
        model = RecipientPrivacy
        fields = ["decision_days", "event_days"]
        labels = {
            "decision_days": "Decisions, in days",
            "event_days": "Impressions and clicks, in days",
        }
        help_texts = {
            "decision_days": "At least 1. Older decisions lose their image and link and do not count "
            "towards a frequency cap.",
            "event_days": "At least 7. Daily counts are kept longer; they name no recipient.",
        }
