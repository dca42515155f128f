"""Group values form: what a group has for fields of its senders, such as the phone number of an office."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from signatures.models import Group
from signatures.rendering.context import build_context
from signatures.rendering.phones import get_region
from signatures.senders.numbers import show_numbers, store_numbers
from signatures.senders.value_sources import OF_ONE_PERSON
from signatures.senders.values import get_brand
from signatures.senders.vocabulary import get_field_rules, list_closed_fields

from .senders import make_value_input


class GroupValuesForm(forms.Form):
    """One input for each field of a sender that a group can have a value for, named as in templates."""

    def __init__(self, data: QueryDict | None = None, *, group: Group, is_admin: bool) -> None:
        """is_admin: whether the person may also edit what only owners and admins may."""
        super().__init__(data, initial=show_numbers(group.field_values))
        self._rules, self._home = get_field_rules(group.domain), get_region(get_brand(group.domain).phone)
        self._vocabulary = self._rules.vocabulary
        closed = () if is_admin else list_closed_fields(group.domain)
        for field in self._vocabulary.of_senders():
            if field.name not in OF_ONE_PERSON:
                self.fields[field.name] = make_value_input(field, field.doc)
                self.fields[field.name].disabled = field.name in closed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        unfit = build_context(cleaned, self._vocabulary).missing
        for name, value in tuple(cleaned.items()):  # an error takes its value out
            if value and name in unfit:
                self.add_error(name, ValidationError(f"Not valid: {unfit[name]}."))
        return cleaned

    def get_values(self) -> dict[str, str]:
        """Return merge field -> value as it is stored, without empty ones."""
        typed = {name: value for name, value in self.cleaned_data.items() if value}
        return store_numbers(typed, self._rules, self._home)
