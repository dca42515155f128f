"""Brand forms: the company's values, those that differ for a group, and dated disclaimers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from signatures.models import Brand, Disclaimer, Group
from signatures.rendering.context import build_context
from signatures.rendering.fields import BUILT_IN
from signatures.senders.vocabulary import take_own_images

_NONE = "none_"


def _make_page_field(network: str) -> forms.URLField:
    return forms.URLField(label=f"{network} page", assume_scheme="https", required=False)


class BrandForm(forms.ModelForm):
    """The brand of a domain."""

    website = forms.URLField(assume_scheme="https", required=False, help_text="Shown as a link.")
    logo_url = forms.URLField(
        label="Logo URL",
        assume_scheme="https",
        required=False,
        help_text="An https URL that mail programs can load; transparent background recommended.",
    )

    linkedin_url = _make_page_field("LinkedIn")
    x_url = _make_page_field("X")
    youtube_url = _make_page_field("YouTube")
    instagram_url = _make_page_field("Instagram")
    facebook_url = _make_page_field("Facebook")

    class Meta:
        model = Brand
        fields = [
            "name", "tagline", "website", "phone", "address", "logo_url", "accent", "secondary", "legal",
            "linkedin_url", "x_url", "youtube_url", "instagram_url", "facebook_url",
        ]  # fmt: skip
        widgets = {
            "legal": forms.Textarea(attrs={"rows": 4}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        typed = {name: cleaned.get(name) for name in self.Meta.fields}
        values = {f"company.{name}": value for name, value in typed.items()}
        unfit = build_context(values, take_own_images(BUILT_IN)).missing
        for name, value in typed.items():  # an error takes its value out
            if value and f"company.{name}" in unfit:
                self.add_error(name, ValidationError(f"Not valid: {unfit[f'company.{name}']}."))
        return cleaned


def label_values(values: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the label of each of these company fields with its value."""
    return [(str(BrandForm.base_fields[name].label), value) for name, value in values.items()]


class GroupBrandForm(BrandForm):
    """The company values of one group: for each its own, none, or the company's where both are left out."""

    def __init__(self, data: QueryDict | None = None, *, group: Group, company: Brand) -> None:
        values = group.company_values
        super().__init__(data, instance=Brand(domain=group.domain, **{"accent": "", **values}))
        for name in self.Meta.fields:
            field = self.fields[name]
            field.required = False
            field.help_text = f"The company’s: {getattr(company, name) or 'none'}"
            self.fields[_NONE + name] = forms.BooleanField(
                label="None for this group",
                required=False,
                initial=name in values and not values[name],
            )

    def list_pairs(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Return each value's input with the box that leaves the value out."""
        return [(self[name], self[_NONE + name]) for name in self.Meta.fields]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in self.Meta.fields:
            if cleaned.get(name) and cleaned.get(_NONE + name):
                self.add_error(name, "Enter a value or choose none for this group, not both.")
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return company field -> value for this group, '' for none; without those that are the company's."""
        chosen = self.cleaned_data
        return {name: chosen[name] or "" for name in self.Meta.fields if chosen[name] or chosen[_NONE + name]}


class DisclaimerForm(forms.ModelForm):
    """A disclaimer for some days."""

    class Meta:
        model = Disclaimer
        fields = ["text", "starts_on", "ends_on"]
        widgets = {
            "text": forms.Textarea(attrs={"rows": 3}),
            "starts_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "ends_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        text = cleaned.get("text")
        reason = build_context({"company.legal": text}).missing.get("company.legal") if text else None
        if reason:
            self.add_error("text", ValidationError(f"Not valid: {reason}."))
        return cleaned
