"""Drift forms: what somebody decides about edits in Outreach, and a group's policy for them."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from portal.models import Domain
from signatures.models import Group

_CHOSEN = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class DecisionForm(forms.Form):
    """A decision about the ticked mailboxes, each with the digest of the edit that was shown."""

    KEEP, REPLACE, TAKE_OVER = "keep", "replace", "take_over"

    decision = forms.ChoiceField(choices=[(KEEP, KEEP), (REPLACE, REPLACE), (TAKE_OVER, TAKE_OVER)])
    until = forms.DateField(
        label="Until",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Empty: until the mailbox is managed again.",
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = ZoneInfo(domain.time_zone)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        until = self.get_until()
        if until is not None and until <= timezone.now():
            self.add_error("until", "Enter a day after today, or leave it empty.")
        if not self.get_chosen():
            self.add_error(None, "Choose at least one mailbox.")
        return cleaned

    def get_until(self) -> datetime | None:
        """Return the midnight at which the chosen day begins, in the domain's time zone."""
        day = self.cleaned_data.get("until")
        return datetime.combine(day, time.min, tzinfo=self._zone) if day else None

    def get_chosen(self) -> dict[int, str]:
        """Return mailbox -> digest of its edit, of the ticked ones; malformed values are left out."""
        written = self.data.getlist("mailbox") if hasattr(self.data, "getlist") else []
        found = (_CHOSEN.fullmatch(each) for each in written)
        return {int(each[1]): each[2] for each in found if each}


class DriftPolicyForm(forms.ModelForm):
    """How edits in Outreach are handled in one group."""

    class Meta:
        model = Group
        fields = ["drift_policy", "drift_grace_hours"]
