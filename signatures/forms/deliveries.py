"""Delivery forms: how a delivery is planned, and which of its mailboxes to show."""

from __future__ import annotations

from django import forms

from signatures.models import DeliveryState


class DeliveryFilters(forms.Form):
    """Which mailboxes of a run to show."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Any state"), *DeliveryState.choices]
    )


class PlanForm(forms.Form):
    """How a delivery is planned."""

    overwrite_edits = forms.BooleanField(
        label="Overwrite manual edits",
        required=False,
        help_text="Signatures edited in Outreach are replaced too. Without this, they are kept and listed.",
    )
