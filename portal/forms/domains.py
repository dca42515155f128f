"""Forms of domains: the settings of a domain, and whether its members need MFA."""

from __future__ import annotations

import zoneinfo
from itertools import groupby
from typing import Any

from django import forms

from portal.models import Domain


class DomainForm(forms.ModelForm):
    """A domain's time zone and automatic work."""

    class Meta:
        model = Domain
        fields = ["time_zone", "automatic_sync", "automatic_delivery"]
        widgets = {"time_zone": forms.Select}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].widget.choices = _zones(self.instance.time_zone)


class DomainOperatorForm(DomainForm):
    """Settings that operators also change: who must use MFA."""

    class Meta(DomainForm.Meta):
        fields = [*DomainForm.Meta.fields, "require_mfa"]


class SecondStepForm(forms.ModelForm):
    """Whether every member must use MFA."""

    class Meta:
        model = Domain
        fields = ["require_mfa"]


def _zones(present: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the time zones by continent, as a <select> takes them; the present one is always among them."""
    continents = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
    names = sorted(name for name in zoneinfo.available_timezones() if name.split("/")[0] in continents)
    by_continent = [
        (continent, [(name, name.replace("_", " ")) for name in group])
        for continent, group in groupby(names, key=lambda name: name.split("/")[0])
    ]
    others = dict.fromkeys(["UTC"] if present in names else ["UTC", present])
    return [("Other", [(name, name) for name in others]), *by_continent]
