"""Result forms: period and sender filters of results."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from portal.models import Domain
from signatures.analytics.coverage import STATES
from signatures.analytics.results import Period
from signatures.models import Group

SPANS = (
    ("", "Custom period"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "1 year"),
    ("all", "All time"),
)
USUAL = "30"


class PeriodForm(forms.Form):
    """A period that ends today, or between two days. Where it is not valid, the default period is shown."""

    span = forms.ChoiceField(label="Period", required=False, choices=SPANS)
    first = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, asked: QueryDict, *, today: date, since: date | None) -> None:
        """asked: the query string; since: the first day with counts, for “All time”."""
        shown = asked.copy()
        if asked.get("first"):
            shown["span"] = ""  # two days say more than a span
        elif not asked.get("span"):
            shown["span"] = USUAL
        super().__init__(shown)
        self._today, self._since = today, since

    @property
    def has_counts(self) -> bool:
        return self._since is not None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and first > last:
            self.add_error("last", "The end is before the start.")
        if first and first > self._today:
            self.add_error("first", "This day is in the future.")
        return cleaned

    def get_period(self) -> Period:
        """Return the requested period, not later than today; the default where it is not valid."""
        span, first, last = USUAL, None, None
        if self.is_valid():
            span = self.cleaned_data["span"] or USUAL
            first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        last = min(last or self._today, self._today)
        if first is None:
            first = self._begin(span, last)
        return Period(min(first, last), last)

    def _begin(self, span: str, last: date) -> date:
        """Return the first day of a period that ends on `last`."""
        if span == "all":
            return self._since or last
        return last - timedelta(days=int(span) - 1)


class SenderResultFilters(forms.Form):
    """Filters of a campaign's senders."""

    q = forms.CharField(label="Name", required=False, max_length=120, widget=forms.SearchInput)
    group = forms.ModelChoiceField(
        Group.objects.none(), label="Group", required=False, empty_label="Any group"
    )

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.filter(domain=domain)  # type: ignore[attr-defined]

    def get_choices(self) -> dict[str, Any]:
        """Return the search arguments; invalid ones are ignored."""
        self.is_valid()
        group = self.cleaned_data.get("group")
        return {"words": self.cleaned_data.get("q") or "", "group_id": group.pk if group else None}


class CarrierFilters(SenderResultFilters):
    """Filters of coverage."""

    q = forms.CharField(label="Name or address", required=False, max_length=120, widget=forms.SearchInput)
    state = forms.ChoiceField(label="Signature", required=False, choices=[("", "Any"), *STATES])

    def get_choices(self) -> dict[str, Any]:
        return super().get_choices() | {"state": self.cleaned_data.get("state") or ""}
