"""Audience forms: the conditions of an audience, recipient lists and field labels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Self

from django import forms
from django.core.exceptions import ValidationError

from portal.models import Domain
from signatures.audiences.attributes import ATTRIBUTE_BY_NAME, CUSTOM_FIELDS
from signatures.audiences.labels import (
    LABELLED,
    find_owner,
    get_names,
    get_owner_addresses,
    group_attributes,
    list_owner_addresses,
)
from signatures.audiences.list_files import MAX_FILE_BYTES
from signatures.audiences.lists import refuse_missing_lists
from signatures.audiences.seen_values import list_seen
from signatures.conditions.conditions import (
    Attribute,
    Clause,
    Condition,
    ConditionError,
    Kind,
    Names,
    flatten,
)
from signatures.models import AttributeLabel, RecipientList

from .conditions import ConditionBuilder, Row


class AudienceBuilder(ConditionBuilder):
    """The conditions of an audience. Labels, names and addresses are typed and shown; IDs are stored."""

    subject = "An audience"

    def __init__(self, domain: Domain, names: Names) -> None:
        super().__init__(ATTRIBUTE_BY_NAME, group_attributes(names), names)
        self.domain = domain
        self._owners: dict[str, str] = {}

    def show(self, clauses: Iterable[Clause]) -> Self:
        clauses = tuple(clauses)
        owners = [value for one in flatten(clauses) if one.attribute.name == "owner" for value in one.values]
        self._owners = get_owner_addresses(self.domain, owners)
        return super().show(clauses)

    def get_hint(self, attribute: Attribute) -> str:
        if attribute.name == "owner":
            return "E-mail address or full name of a user, one per line."
        if attribute.name not in LABELLED:
            return super().get_hint(attribute)
        labels = [label for (name, _), label in self.names.labels.items() if name == attribute.name]
        if not labels:
            return "Outreach IDs, one per line. Add field labels to use names."
        return f"A label or an Outreach ID, one per line. Labels: {', '.join(labels)}."

    def get_offers(self, attribute: Attribute) -> list[str]:
        if attribute.name == "owner":
            return list_owner_addresses(self.domain)
        if attribute.name != "tags" and attribute.name not in LABELLED:
            return []
        labels = {key: label for (name, key), label in self.names.labels.items() if name == attribute.name}
        seen = [labels.get(key, key) for key in self._seen.get(attribute.name, ())]
        return list(dict.fromkeys([*labels.values(), *seen]))

    @cached_property
    def _seen(self) -> dict[str, list[str]]:
        return list_seen(self.domain)

    def show_values(self, condition: Condition) -> list[str]:
        if condition.attribute.name == "owner":
            return [self._owners.get(value, value) for value in condition.values]
        if condition.attribute.kind is Kind.LIST:
            return list(condition.values)
        return [self.names.value(condition.attribute, value) for value in condition.values]

    def to_id(self, row: Row, value: str) -> str:
        name = row.attribute.name
        if name == "owner":
            found = value if value.isdecimal() else find_owner(self.domain, value)
            if not found:
                raise ConditionError(row.index, f"“{value}” is not a user, or matches more than one.")
            return found
        if name in LABELLED:
            folded = value.casefold()
            named = [
                key
                for (kind, key), label in self.names.labels.items()
                if kind == name and label.casefold() == folded
            ]
            if named:
                return named[0]
            if not value.isdecimal():
                raise ConditionError(
                    row.index, f"“{value}” is neither a label nor an ID. Add a field label first."
                )
        return value

    def check(self, clauses: Iterable[Clause]) -> None:
        refuse_missing_lists(self.domain, clauses)

    def name_values(self, clause: Clause) -> Names:
        return get_names(self.domain, [clause])


class ListForm(forms.Form):
    """A recipient list's name and its file."""

    name = forms.CharField(label="Name", max_length=120, help_text="Shown in audiences.")
    file = forms.FileField(
        label="CSV file",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
        help_text="A column of mail domains or addresses, with or without a heading. Addresses are stored "
        "as pseudonyms "
        "only.",
    )

    def __init__(
        self, *args: Any, domain: Domain, present: RecipientList | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._namesakes = RecipientList.objects.filter(domain=domain).exclude(pk=present.pk if present else 0)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if self._namesakes.filter(name=name).exists():
            raise ValidationError("A list with this name exists already.")
        return name

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise ValidationError(f"The file is larger than {MAX_FILE_BYTES // 1_000_000} MB. Split it.")
        return file


class LabelForm(forms.ModelForm):
    """The label of an ID in Outreach."""

    class Meta:
        model = AttributeLabel
        fields = ["kind", "key", "label"]
        labels = {"kind": "Type", "key": "Number or ID", "label": "Label"}
        help_texts = {"key": "1 to 150 for a custom field; otherwise the ID in Outreach."}

    def __init__(self, *args: Any, domain: Domain | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._domain = domain

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind, key = cleaned.get("kind"), str(cleaned.get("key", "")).strip()
        most = CUSTOM_FIELDS if kind == AttributeLabel.Kind.CUSTOM else 10**18
        if kind and key and (not key.isdecimal() or not 1 <= int(key) <= most):
            words = f"a number from 1 to {CUSTOM_FIELDS}" if most == CUSTOM_FIELDS else "the ID, a number"
            self.add_error("key", f"Enter {words}.")
        elif kind and key:
            cleaned["key"] = str(int(key))
            domain = self._domain or cleaned.get("domain")
            same = AttributeLabel.objects.filter(domain=domain, kind=kind, key=cleaned["key"])
            if same.exclude(pk=self.instance.pk or 0).exists():
                self.add_error("key", "This ID already has a label. Edit that one.")
        return cleaned
