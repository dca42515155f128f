"""Delivery settings forms: how signatures of a domain are delivered, and when new values of a group go."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator

from signatures.models import AutomaticDelivery, DeliverySettings, Group
from signatures.rendering.fields import BUILT_IN, Source, Vocabulary
from signatures.senders.vocabulary import get_vocabulary

from .stages import LONGEST_PAUSE, MOST_REFUSALS, StagesField, write_stages
from .widgets import LongCheckboxes

TIME = forms.TimeInput({"type": "time"}, "%H:%M")
MOST = {"stage_pause_minutes": LONGEST_PAUSE, "refusal_limit": MOST_REFUSALS, "drift_limit": MOST_REFUSALS}


class DeliverySettingsForm(forms.ModelForm):
    """Every setting with a sentence that says what it does. The admin and the domain's page use the same."""

    stages = StagesField(
        help_text="Mailboxes of each stage, such as 5, 50; everybody else follows. Empty: all at once."
    )
    live_fields = forms.MultipleChoiceField(
        label="Fields that go live automatically",
        required=False,
        widget=LongCheckboxes({"class": "columns"}),
        help_text="Values typed here for these fields need no approval, whoever types them.",
    )

    class Meta:
        model = DeliverySettings
        fields = [
            "stages",
            "stage_pause_minutes",
            "refusal_limit",
            "drift_limit",
            "quiet_from",
            "quiet_until",
            "writes_per_hour",
            "automatic_cap_percent",
            "requires_approval",
            "live_fields",
        ]
        widgets = {"quiet_from": TIME, "quiet_until": TIME}
        help_texts = {
            "quiet_from": "From this time of day on nothing is written, in the domain’s time zone. "
            "A delivery waits. Empty: no quiet hours.",
            "quiet_until": "At this time of day writing continues automatically.",
            "writes_per_hour": "How many mailboxes all deliveries together write in an hour at most. "
            "Empty: as Outreach allows.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields = self._get_vocabulary().of_senders(Source.PORTAL, Source.OUTREACH)
        live_fields: Any = self.fields["live_fields"]
        live_fields.choices = [(one.name, one.label) for one in fields]
        self.initial["stages"] = write_stages(self.instance.stages)
        for name, most in MOST.items():
            self.fields[name].validators.append(MaxValueValidator(most))
            self.fields[name].widget.attrs["max"] = most

    def _get_vocabulary(self) -> Vocabulary:
        """Return the fields of the domain; the built-in ones where the form itself asks for it."""
        return get_vocabulary(self.instance.domain) if self.instance.domain_id else BUILT_IN

    def clean_stages(self) -> list[int | None]:
        return list(self.cleaned_data["stages"]) or [None]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begins, ends = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if self.errors.keys() & {"quiet_from", "quiet_until"}:
            return cleaned
        if (begins is None) != (ends is None):
            self.add_error("quiet_until", "Enter both times of the quiet hours, or neither.")
        elif begins is not None and begins == ends:
            self.add_error("quiet_until", "Enter a time other than the one at which the quiet hours begin.")
        return cleaned


class AutomaticPolicyForm(forms.ModelForm):
    """When new directory values reach one group's mailboxes."""

    class Meta:
        model = Group
        fields = ["automatic", "automatic_at"]
        widgets = {"automatic_at": TIME}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("automatic") != AutomaticDelivery.DAILY:
            cleaned["automatic_at"] = None
        elif cleaned.get("automatic_at") is None and "automatic_at" not in self.errors:
            self.add_error("automatic_at", "Enter the time of day at which new values go.")
        return cleaned
