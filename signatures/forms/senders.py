"""Sender forms: filters of the list, local values, and the order of groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html

from portal.models import Domain
from signatures.models import Group, Sender, Template
from signatures.rendering.context import build_context
from signatures.rendering.fields import Field, Source, Trust
from signatures.senders.listing import STATES
from signatures.senders.numbers import show_numbers
from signatures.senders.values import read_own
from signatures.senders.vocabulary import get_vocabulary, list_closed_fields

from .templates import usable_templates
from .widgets import LongSelect

_INPUT_TYPES = {
    Trust.EMAIL: "email",
    Trust.URL: "url",
    Trust.IMAGE: "url",
    Trust.PHONE: "tel",
    Trust.DATE: "date",
}


class SenderFilters(forms.Form):
    """Filters of the list of senders; invalid ones are ignored."""

    q = forms.CharField(
        label="Name, address or title", required=False, max_length=120, widget=forms.SearchInput
    )
    group = forms.ModelChoiceField(
        Group.objects.none(), label="Group", required=False, empty_label="Any group", widget=LongSelect
    )
    template = forms.ModelChoiceField(
        Template.objects.none(),
        label="Template",
        required=False,
        empty_label="Any template",
        widget=LongSelect,
    )
    state = forms.ChoiceField(label="Signature", required=False, choices=[("", "Any state"), *STATES])
    reason = forms.CharField(required=False, max_length=2000, widget=forms.HiddenInput)
    empty = forms.RegexField(r"^sender\.[a-z0-9_]{1,57}\Z", required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, domain: Domain, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].queryset = Group.objects.filter(domain=domain, archived_at=None)  # type: ignore[attr-defined]
        self.fields["template"].queryset = usable_templates(domain)  # type: ignore[attr-defined]

    def get_choices(self) -> dict[str, Any]:
        """Return the arguments for `listing.find_senders`."""
        self.is_valid()
        chosen = self.cleaned_data
        group, template = chosen.get("group"), chosen.get("template")
        return {
            "words": chosen.get("q") or "",
            "group_id": group.pk if group else None,
            "template_id": template.pk if template else None,
            "state": chosen.get("state") or "",
            "reason": chosen.get("reason") or "",
            "empty": chosen.get("empty") or "",
        }


class OwnValuesForm(forms.ModelForm):
    """A sender's local fields, and overrides of Outreach values.

    One input for each field of a sender, named as in templates; an empty one stores nothing.
    """

    class Meta:
        model = Sender
        fields: list[str] = []

    def __init__(self, *args: Any, is_admin: bool = True, **kwargs: Any) -> None:
        """is_admin: whether the person may also edit what only owners and admins may."""
        super().__init__(*args, **kwargs)
        self.initial = {**read_own(self.instance), **show_numbers(self.initial)}
        self._vocabulary = get_vocabulary(self.instance.domain)
        for field in self._vocabulary.of_senders():
            self.fields[field.name] = own_value_input(field, self.instance)
        for name in () if is_admin else list_closed_fields(self.instance.domain):
            self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context(cleaned, self._vocabulary).missing
        for name, value in tuple(cleaned.items()):  # an error takes its value out
            if value and name in unfit:
                self.add_error(name, ValidationError(f"Not valid: {unfit[name]}."))
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return the typed value of each changed field; '' removes an override."""
        return {name: value or "" for name, value in self.cleaned_data.items() if name in self.changed_data}

    def kept_here(self) -> list[forms.BoundField]:
        """Return the inputs of local fields."""
        return [self[field.name] for field in self._vocabulary.of_senders(Source.PORTAL)]

    @property
    def overrides_outreach(self) -> bool:
        """Whether an Outreach value is overridden, stored or just typed."""
        return any(field.value() or field.errors for field in self.from_outreach())

    def from_outreach(self) -> list[forms.BoundField]:
        """Return the inputs of overrides."""
        return [self[field.name] for field in self._vocabulary.of_senders(Source.OUTREACH)]


def own_value_input(field: Field, sender: Sender) -> forms.CharField:
    """Return the input of one field of a sender."""
    theirs = (
        getattr(sender.person, field.name.removeprefix("sender."), "")
        if field.source is Source.OUTREACH
        else ""
    )
    hint = field.doc if field.source is Source.PORTAL else "Empty in Outreach."
    if theirs:
        hint = format_html("Outreach value: {}", theirs)  # Django shows help texts as markup by default
    return make_value_input(field, hint)


def make_value_input(field: Field, hint: str) -> forms.CharField:
    """Return the input of a value for a field of senders."""
    widget: forms.Widget = forms.TextInput(
        attrs={"type": _INPUT_TYPES.get(field.trust, "text"), "autocomplete": "off"}
    )
    if field.trust is Trust.LONG_TEXT:
        widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(label=field.label, required=False, max_length=500, widget=widget, help_text=hint)


class MoveForm(forms.Form):
    """A group's new priority: up, down, or a number from 1."""

    to = forms.ChoiceField(choices=[("up", "Up"), ("down", "Down"), ("place", "To this priority")])
    place = forms.IntegerField(min_value=1, max_value=100_000, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("to") == "place" and not cleaned.get("place"):
            self.add_error("place", "Enter a number, 1 for the highest priority.")
        return cleaned

    def get_place(self, before: int) -> int:
        """Return the new index of the group at index `before`."""
        steps = {"up": max(before - 1, 0), "down": before + 1}
        return steps.get(self.cleaned_data["to"], (self.cleaned_data["place"] or 1) - 1)


class DateForm(forms.Form):
    """A day whose signature is asked for."""

    on = forms.DateField(label="Date", widget=forms.DateInput(attrs={"type": "date"}))
