"""Condition builder: rows of conditions as typed, for audiences and rules of groups, also without script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from django.http import QueryDict

from signatures.conditions.conditions import (
    MAX_CONDITIONS,
    OPERATORS,
    WITHOUT_VALUES,
    WORDS,
    Attribute,
    Clause,
    Condition,
    ConditionError,
    Kind,
    Names,
    parse,
    say,
)

_HINTS = {
    Kind.TEXT: "One per line, not case-sensitive.",
    Kind.TAGS: "One tag per line.",
    Kind.NUMBER: "A number.",
    Kind.DOMAIN: "Such as acme.com, one per line.",
}


@dataclass
class Row:
    """One condition as typed. values: one a line; is_or: it or the row before must match; error: in words.

    choices: of a list, (ID, label). offers: suggested values, besides which any other may be typed.
    """

    index: int
    attribute: Attribute
    label: str
    operator: str
    values: list[str] = field(default_factory=list)
    is_or: bool = False
    hint: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
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


class ConditionBuilder:
    """Rows of conditions, typed or stored; `act` adds and removes rows, `get_stored` reads them.

    attributes: by name. groups: the attributes to choose from, (title, entries), each an attribute and its label.
    """

    subject: ClassVar[str] = "A rule"

    def __init__(
        self,
        attributes: Mapping[str, Attribute],
        groups: list[tuple[str, list[tuple[Attribute, str]]]],
        names: Names,
    ) -> None:
        self.attributes = attributes
        self.groups = groups
        self.names = names
        self.rows: list[Row] = []
        self.error = ""

    def show(self, clauses: Iterable[Clause]) -> Self:
        """Add a row for each of these conditions."""
        for clause in clauses:
            for at, condition in enumerate(clause.parts):
                shown = self.show_values(condition)
                self.append(condition.attribute, condition.operator.value, shown, is_or=at > 0)
        return self

    def take(self, typed: QueryDict) -> Self:
        """Add the numbered rows as typed, in order."""
        for number in range(MAX_CONDITIONS + 1):
            attribute = self.attributes.get(typed.get(f"c{number}-attribute", ""))
            if attribute is None:
                continue
            values = typed.getlist(f"c{number}-values")
            if attribute.kind is not Kind.LIST:
                values = [line.strip() for text in values for line in text.splitlines() if line.strip()]
            is_or = typed.get(f"c{number}-join") == "or" and bool(self.rows)
            self.append(attribute, typed.get(f"c{number}-operator", ""), values, is_or=is_or)
        return self

    def append(self, attribute: Attribute, operator: str, values: list[str], *, is_or: bool = False) -> None:
        row = Row(len(self.rows), attribute, self.names.attribute(attribute), operator, values, is_or)
        row.hint = self.get_hint(attribute)
        row.offers = self.get_offers(attribute)
        if attribute.kind is Kind.LIST:
            row.choices = [
                (key, label) for (name, key), label in self.names.labels.items() if name == attribute.name
            ]
        self.rows.append(row)

    def act(self, typed: Mapping[str, str]) -> None:
        """Add or remove a row for the pressed button.

        No button is named after a method of a form, such as `remove`: in a browser it would replace that method.
        """
        if "drop" in typed:
            self.rows = [row for row in self.rows if str(row.index) != typed["drop"]]
            for index, row in enumerate(self.rows):
                row.index, row.is_or = index, row.is_or and index > 0
        if "add" in typed:
            attribute = self.attributes.get(typed.get("new", ""))
            if attribute is None:
                self.error = "Choose a field for the new condition."
            elif len(self.rows) >= MAX_CONDITIONS:
                self.error = f"{self.subject} has at most {MAX_CONDITIONS} conditions."
            else:
                self.append(attribute, OPERATORS[attribute.kind][0].value, [])

    def get_stored(self) -> list[dict[str, Any]]:
        """Return the rows as stored: IDs in place of labels and names. Raises: ConditionError."""
        stored: list[list[dict[str, Any]]] = []
        for row in self.rows:
            if row.is_or and stored:
                stored[-1].append(self._store(row))
            else:
                stored.append([self._store(row)])
        return [parts[0] if len(parts) == 1 else {"any": parts} for parts in stored]

    def _store(self, row: Row) -> dict[str, Any]:
        values = [] if row.needs_no_value else [self.to_id(row, value) for value in row.values]
        return {"attribute": row.attribute.name, "operator": row.operator, "values": values}

    def read(self) -> tuple[Clause, ...] | None:
        """Return the conditions, or None with the error at its row."""
        try:
            clauses = parse(self.get_stored(), self.attributes.get)
            self.check(clauses)
        except ConditionError as error:
            self.add_error(error)
            return None
        return clauses

    def add_error(self, error: ConditionError) -> None:
        if error.index < len(self.rows):
            self.rows[error.index].error = error.message
        else:
            self.error = error.message

    @property
    def sentences(self) -> list[str]:
        """Return each clause in words, as far as its conditions are valid."""
        said: list[list[str]] = []
        for row in self.rows:
            try:
                (clause,) = parse([self._store(row)], self.attributes.get)
            except ConditionError:
                continue
            sentence = say(clause, self.name_values(clause))
            if row.is_or and said:
                said[-1].append(sentence)
            else:
                said.append([sentence])
        return [" or ".join(parts) for parts in said]

    # What a table of attributes adds to the rows.
    def get_hint(self, attribute: Attribute) -> str:
        return _HINTS.get(attribute.kind, "")

    def get_offers(self, attribute: Attribute) -> list[str]:
        """Return values to suggest, as a person types them."""
        return []

    def show_values(self, condition: Condition) -> list[str]:
        """Return a stored condition's values as a person types them."""
        return list(condition.values)

    def to_id(self, row: Row, value: str) -> str:
        """Return a typed value as it is stored. Raises: ConditionError."""
        return value

    def check(self, clauses: Iterable[Clause]) -> None:
        """Raise ConditionError where the domain does not have what these conditions name."""

    def name_values(self, clause: Clause) -> Names:
        return self.names
