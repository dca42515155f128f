"""Restore form: whose mailboxes go back to their original or to an earlier signature."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from portal.models import Domain
from signatures.models import Delivery, DeliveryRun, DeliveryState, Group, Sender
from signatures.releases.live import list_live_groups
from signatures.senders.listing import SenderNotChosen, choose_sender

from .walltime import WallTimeField, to_moment

ORIGINAL, AT, BEFORE = "original", "at", "before"
CHOICES = [
    (ORIGINAL, "Original signature"),
    (AT, "Signature as of a date"),
    (BEFORE, "What each mailbox held before the delivery"),
]


class RestoreForm(forms.Form):
    """Everybody, or only one sender, group or delivery; and what to go back to. delivery: one earlier signature."""

    sender = forms.CharField(
        label="Sender",
        required=False,
        max_length=255,
        help_text="Name or address. Empty for everybody.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    group = forms.ModelChoiceField(
        Group.objects.none(), label="Group", required=False, empty_label="Any group"
    )
    run = forms.IntegerField(
        label="Delivery number",
        required=False,
        min_value=1,
        max_value=2**31,
        help_text="Only mailboxes that this delivery wrote.",
    )
    delivery = forms.ModelChoiceField(
        Delivery.objects.none(), required=False, widget=forms.HiddenInput, label="Earlier signature"
    )
    to = forms.ChoiceField(label="Go back to", required=False, choices=CHOICES, initial=ORIGINAL)
    at = WallTimeField(label="Date and time", required=False)
    overwrite_edits = forms.BooleanField(
        label="Overwrite manual edits",
        required=False,
        help_text="Signatures edited in Outreach since the last write are replaced too. Without this, they are kept.",
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain
        group: Any = self.fields["group"]
        group.queryset = list_live_groups(domain)
        delivery: Any = self.fields["delivery"]
        delivery.queryset = Delivery.objects.filter(
            run__domain=domain, state=DeliveryState.DELIVERED
        ).exclude(rendered_sha256="")
        self.fields["at"].help_text = f"Time zone: {domain.time_zone}."

    def clean_sender(self) -> Sender | None:
        words = str(self.cleaned_data["sender"]).strip()
        if not words:
            return None
        try:
            return choose_sender(self._domain, words)
        except SenderNotChosen as error:
            raise forms.ValidationError(str(error)) from error

    def clean_run(self) -> DeliveryRun | None:
        number = self.cleaned_data["run"]
        if number is None:
            return None
        found = DeliveryRun.objects.filter(domain=self._domain, pk=number).first()
        if found is None:
            raise forms.ValidationError(f"There is no delivery {number}.")
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["moment"] = to_moment(self, "at", ZoneInfo(self._domain.time_zone))
        if cleaned.get("to") == AT and cleaned["moment"] is None and "at" not in self.errors:
            self.add_error("at", "Enter the date and time to go back to.")
        if cleaned.get("to") == BEFORE and cleaned.get("run") is None and "run" not in self.errors:
            self.add_error("run", "Enter the number of the delivery.")
        return cleaned

    @property
    def moment(self) -> datetime | None:
        """The instant whose signatures are restored, or None."""
        found: datetime | None = self.cleaned_data["moment"] if self.cleaned_data["to"] == AT else None
        return found

    @property
    def before_run(self) -> DeliveryRun | None:
        """Return the delivery to undo, or None."""
        found: DeliveryRun | None = self.cleaned_data["run"] if self.cleaned_data["to"] == BEFORE else None
        return found
