"""Audience forms: the conditions of an audience, recipient lists and field labels. Works without script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from portal.models import Domain
from signatures.audiences.labels import LABELLED, find_owner, get_owner_addresses
from signatures.audiences.list_files import MAX_FILE_BYTES
from signatures.audiences.lists import refuse_missing_lists
from signatures.conditions.conditions import (
    ATTRIBUTE_BY_NAME,
    CUSTOM_FIELDS,
    MAX_CONDITIONS,
    OPERATORS,
    WITHOUT_VALUES,
    WORDS,
    Attribute,
    AudienceError,
    Condition,
    Kind,
    Names,
    parse_audience,
)
from signatures.models import AttributeLabel, RecipientList

_HINTS = {
    Kind.TEXT: "One per line, not case-sensitive.",
    Kind.TAGS: "One tag per line.",
    Kind.NUMBER: "A number.",
    Kind.DOMAIN: "Such as acme.com, one per line.",
}


@dataclass
class Row:
    """One condition as typed. values: one a line; error: what is wrong with it, in words."""

    index: int
    attribute: Attribute
    label: str
    operator: str
    values: list[str] = field(default_factory=list)
    hint: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""

    @property
    def operators(self) -> list[tuple[str, str]]:
        return [(one.value, WORDS[one]) for one in OPERATORS[self.attribute.kind]]

    @property
    def text(self) -> str:
        return "\n".join(self.values)

    @property
    def height(self) -> int:
        """Return the height of the text area in lines."""
        return min(max(len(self.values), 2), 8)

    @property
    def needs_no_value(self) -> bool:
        return self.operator in WITHOUT_VALUES

    @property
    def is_number(self) -> bool:
        return self.attribute.kind is Kind.NUMBER


class AudienceBuilder:
    """The audience builder's rows, typed or stored; `act` adds and removes rows, `get_stored` reads them.

    Labels, names and addresses are typed and shown; IDs are stored.
    """

    def __init__(self, domain: Domain, names: Names, rows: list[Row]) -> None:
        self.domain = domain
        self.names = names
        self.rows = rows
        self.error = ""

    @classmethod
    def from_stored(cls, domain: Domain, names: Names, conditions: Iterable[Condition]) -> AudienceBuilder:
        builder = cls(domain, names, [])
        conditions = tuple(conditions)
        owners = [value for one in conditions if one.attribute.name == "owner" for value in one.values]
        addresses = get_owner_addresses(domain, owners)
        for condition in conditions:
            shown = list(condition.values)
            if condition.attribute.name == "owner":
                shown = [addresses.get(value, value) for value in shown]
            elif condition.attribute.kind is not Kind.LIST:
                shown = [names.value(condition.attribute, value) for value in shown]
            builder._append(condition.attribute, condition.operator.value, shown)
        return builder

    @classmethod
    def from_post(cls, domain: Domain, names: Names, typed: QueryDict) -> AudienceBuilder:
        """Read the numbered rows in order."""
        builder = cls(domain, names, [])
        for number in range(MAX_CONDITIONS + 1):
            attribute = ATTRIBUTE_BY_NAME.get(typed.get(f"c{number}-attribute", ""))
            if attribute is None:
                continue
            values = typed.getlist(f"c{number}-values")
            if attribute.kind is not Kind.LIST:
                values = [line.strip() for text in values for line in text.splitlines() if line.strip()]
            builder._append(attribute, typed.get(f"c{number}-operator", ""), values)
        return builder

    def _append(self, attribute: Attribute, operator: str, values: list[str]) -> None:
        row = Row(len(self.rows), attribute, self.names.attribute(attribute), operator, values)
        row.hint = _HINTS.get(attribute.kind, "")
        if attribute.kind is Kind.LIST:
            row.choices = [(key, label) for (name, key), label in self.names.labels.items() if name == "list"]
        elif attribute.name == "owner":
            row.hint = "E-mail address or full name of a user, one per line."
        elif attribute.name in LABELLED:
            labels = [label for (name, _), label in self.names.labels.items() if name == attribute.name]
            row.hint = (
                f"A label or an Outreach ID, one per line. Labels: {', '.join(labels)}."
                if labels
                else "Outreach IDs, one per line. Add field labels to use names."
            )
        self.rows.append(row)

    def act(self, typed: Mapping[str, str]) -> None:
        """Add or remove a row for the pressed button.

        No button is named after a method of a form, such as `remove`: in a browser it would replace that method.
        """
        if "drop" in typed:
            self.rows = [row for row in self.rows if str(row.index) != typed["drop"]]
            for index, row in enumerate(self.rows):
                row.index = index
        if "add" in typed:
            attribute = ATTRIBUTE_BY_NAME.get(typed.get("new", ""))
            if attribute is None:
                self.error = "Choose a field for the new condition."
            elif len(self.rows) >= MAX_CONDITIONS:
                self.error = f"An audience has at most {MAX_CONDITIONS} conditions."
            else:
                self._append(attribute, OPERATORS[attribute.kind][0].value, [])

    def get_stored(self) -> list[dict[str, Any]]:
        """Return the rows as stored: IDs in place of labels and names. Raises: AudienceError."""
        return [
            {
                "attribute": row.attribute.name,
                "operator": row.operator,
                "values": [] if row.needs_no_value else [self._to_id(row, value) for value in row.values],
            }
            for row in self.rows
        ]

    def _to_id(self, row: Row, value: str) -> str:
        name = row.attribute.name
        if name == "owner":
            found = value if value.isdecimal() else find_owner(self.domain, value)
            if not found:
                raise AudienceError(row.index, f"“{value}” is not a user, or matches more than one.")
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
                raise AudienceError(
                    row.index, f"“{value}” is neither a label nor an ID. Add a field label first."
                )
        return value

    def read(self) -> tuple[Condition, ...] | None:
        """Return the conditions, or None with the error at its row."""
        try:
            conditions = parse_audience(self.get_stored())
            refuse_missing_lists(self.domain, conditions)
        except AudienceError as error:
            self.add_error(error)
            return None
        return conditions

    def add_error(self, error: AudienceError) -> None:
        if error.index < len(self.rows):
            self.rows[error.index].error = error.message
        else:
            self.error = error.message


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
