"""Release forms: when and how a release is published, and which people of one to show."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from portal.models import Domain
from signatures.models import DeliverySettings, Sender

from .walltime import WallTimeField, to_moment

NOW, LATER = "now", "later"
NO_OWN_SENDER = "No sender of this domain has your e-mail address."


class ReleaseForm(forms.Form):
    """Note, time and stages; one field for each stage in the domain's settings."""

    note = forms.CharField(max_length=500, required=False)
    when = forms.ChoiceField(
        label="When",
        choices=[(NOW, "Now"), (LATER, "At a set time")],
        initial=NOW,
        required=False,
        widget=forms.RadioSelect,
    )
    publish_at = WallTimeField(label="Date and time", required=False)

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = ZoneInfo(domain.time_zone)
        self.settings = DeliverySettings.objects.for_domain(domain)
        self.fields["publish_at"].help_text = f"Time zone: {domain.time_zone}"
        sizes = [size for size in self.settings.stages if size is not None]
        for at, size in enumerate(sizes):
            self.fields[f"stage_{at}"] = forms.IntegerField(
                label="First" if at == 0 else "Then",
                min_value=1,
                max_value=1_000_000,
                required=False,
                initial=size,
            )

    @property
    def stage_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("stage_")]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("when") != LATER:
            cleaned["publish_at"] = None
        elif cleaned.get("publish_at") is None and "publish_at" not in self.errors:
            self.add_error("publish_at", "Enter a date and time, or choose “Now”.")
        else:
            at = to_moment(self, "publish_at", self._zone)
            if at is not None and at <= timezone.now():
                self.add_error("publish_at", "This time has passed. Enter a later one, or choose “Now”.")
            cleaned["publish_at"] = at
        return cleaned

    def check_only_me(self, own: Sender | None) -> None:
        """Refuse what cannot be delivered to whoever publishes first: `own`, their sender, or None."""
        if own is None:
            self.add_error(None, NO_OWN_SENDER)
        elif self.cleaned_data["publish_at"] is not None:
            self.add_error(
                "when", "A scheduled release goes to everybody. Choose “Now” to deliver to you first."
            )

    def get_rollout(self) -> dict[str, Any]:
        """Return how the release is to be rolled out, as `Release.rollout` keeps it."""
        sizes = [self.cleaned_data.get(field.name) for field in self.stage_fields]
        return {"stages": [*(size for size in sizes if size), None]}


class AgainForm(forms.Form):
    note = forms.CharField(max_length=500, required=False)


class SendBackForm(forms.Form):
    comment = forms.CharField(
        label="What has to change", max_length=2_000, widget=forms.Textarea({"rows": 4}), strip=True
    )


class PeopleFilters(forms.Form):
    """Which people of a release to show."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)
