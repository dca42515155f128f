"""Delivery settings form: how a domain's signatures are delivered, in words and numbers that people type."""

from __future__ import annotations

from typing import Any

from django import forms

from signatures.models import DeliverySettings
from signatures.rendering.fields import FIELDS, Source


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
