"""Delivery forms: for whom a delivery is planned, how it is rolled out, and which of its mailboxes to show."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models.functions import Lower

from portal.models import Domain
from signatures.models import DeliveryState, Group, Sender
from signatures.releases.live import list_live_groups

from .choices import RowsField
from .stages import LONGEST_PAUSE, MOST_REFUSALS, StagesField
from .widgets import LongCheckboxes


class DeliveryFilters(forms.Form):
    """Which mailboxes of a run to show."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)
    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "Any state"), *DeliveryState.choices]
    )
    stage = forms.IntegerField(label="Stage", required=False, min_value=1, widget=forms.HiddenInput)


class PlanForm(forms.Form):
    """For whom a delivery is planned; for everybody where nothing is chosen."""

    groups = RowsField(
        label="Groups",
        queryset=Group.objects.none(),
        required=False,
        widget=LongCheckboxes,
        help_text="With their members in the live release. None chosen: all groups.",
    )
    people = forms.CharField(
        label="People",
        required=False,
        max_length=4_000,
        help_text="E-mail addresses of senders, separated by commas. Empty: everybody.",
    )
    person = RowsField(queryset=Sender.objects.none(), required=False, widget=forms.MultipleHiddenInput)
    first = forms.IntegerField(
        label="First mailboxes only",
        required=False,
        min_value=1,
        help_text="The most mailboxes that the plan may have. Empty: all.",
    )
    overwrite_edits = forms.BooleanField(
        label="Overwrite manual edits",
        required=False,
        help_text="Signatures edited in Outreach are replaced too. Without this, they are kept and listed.",
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain
        self.fields["person"].queryset = Sender.objects.filter(domain=domain)  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["groups"].queryset = list_live_groups(domain)  # type: ignore[attr-defined]  # a ModelChoiceField

    def get_sender_ids(self) -> list[int] | None:
        """Return the ids of the people that were typed or ticked; None for everybody."""
        ticked = [sender.pk for sender in self.cleaned_data["person"]]
        return sorted({*self.cleaned_data["people"], *ticked}) or None

    def clean_people(self) -> list[int]:
        """Return the ids of the senders with these addresses."""
        asked = {each.lower() for each in re.split(r"[,;\s]+", self.cleaned_data["people"]) if each}
        found = Sender.objects.filter(domain=self._domain).annotate(address=Lower("email"))
        known = dict(found.filter(address__in=asked).values_list("address", "pk"))
        unknown = sorted(asked - known.keys())
        if unknown:
            raise ValidationError(f"No sender has the address {unknown[0]}.")
        return sorted(known.values())


class PeopleSearch(forms.Form):
    """A search for people by their name or address."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)


def _limit(label: str, most: int, help_text: str) -> forms.IntegerField:
    """Return a field for a number from 0 to `most`, or nothing."""
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=most, help_text=help_text)


class RolloutForm(forms.Form):
    """How a planned delivery is rolled out."""

    stages = StagesField(
        help_text="Mailboxes of each stage, such as 5, 50; everybody else follows. Empty: all at once."
    )
    pause_minutes = _limit(
        "Pause between stages (minutes)", LONGEST_PAUSE, "Empty: each stage waits for a person."
    )
    refusal_limit = _limit("Stop at refusals", MOST_REFUSALS, "Per stage; 0 for never.")
    drift_limit = _limit(
        "Stop at edited mailboxes", MOST_REFUSALS, "Per stage, edited in Outreach meanwhile; 0 for never."
    )
