"""Conditions: parses and evaluates conditions on what is known of a person, and says them in words; pure.

Which attributes there are is given by a table: of recipients in `audiences.attributes`, of senders in
`senders.rule_attributes`.
Conditions are stored as a list, of which every item must match: a condition, or several of which any must match.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from json import dumps
from typing import Any, Protocol

from portal.hostnames import normalise_host

MAX_CONDITIONS = 20
MAX_VALUES = 200
MAX_VALUE_LENGTH = 255


class Kind(StrEnum):
    """The type of an attribute's values, which determines its operators."""

    TEXT = "text"
    TAGS = "tags"
    NUMBER = "number"
    ID = "id"
    DOMAIN = "domain"
    LIST = "list"


class Operator(StrEnum):
    """A comparison; several values are alternatives, except for HAS_ALL."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    IS_EMPTY = "is_empty"
    IS_FILLED = "is_filled"
    HAS_ANY = "has_any"
    HAS_ALL = "has_all"
    HAS_NONE = "has_none"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    IS_OR_BELOW = "is_or_below"


OPERATORS: dict[Kind, tuple[Operator, ...]] = {
    Kind.TEXT: (
        Operator.IS, Operator.IS_NOT, Operator.CONTAINS, Operator.STARTS_WITH, Operator.IS_EMPTY,
        Operator.IS_FILLED,
    ),
    Kind.TAGS: (Operator.HAS_ANY, Operator.HAS_ALL, Operator.HAS_NONE),
    Kind.NUMBER: (Operator.AT_LEAST, Operator.AT_MOST),
    Kind.ID: (Operator.IS, Operator.IS_NOT),
    Kind.DOMAIN: (Operator.IS, Operator.IS_OR_BELOW, Operator.IS_NOT),
    Kind.LIST: (Operator.IS, Operator.IS_NOT),
}  # fmt: skip
WITHOUT_VALUES = frozenset({Operator.IS_EMPTY, Operator.IS_FILLED})
WORDS: dict[Operator, str] = {
    Operator.IS: "is",
    Operator.IS_NOT: "is not",
    Operator.CONTAINS: "contains",
    Operator.STARTS_WITH: "starts with",
    Operator.IS_EMPTY: "is empty",
    Operator.IS_FILLED: "is filled in",
    Operator.HAS_ANY: "has any of",
    Operator.HAS_ALL: "has all of",
    Operator.HAS_NONE: "has none of",
    Operator.AT_LEAST: "is at least",
    Operator.AT_MOST: "is at most",
    Operator.IS_OR_BELOW: "is, or is below,",
}


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a condition can be about."""

    name: str
    label: str
    kind: Kind


class Subject(Protocol):
    """Whom conditions are evaluated for."""

    def get_values(self, name: str) -> Collection[str] | None:
        """Return the values of an attribute, one at most for texts and numbers; None where they are unknown."""


class ConditionError(Exception):
    """A condition is not valid; `index` says which (from 0), the message why, to a person."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index
        self.message = message


@dataclass(frozen=True)
class Condition:
    """A condition on one attribute. values: as typed; ids of lists and of Outreach's records as text."""

    attribute: Attribute
    operator: Operator
    values: tuple[str, ...] = ()

    @cached_property
    def folded(self) -> frozenset[str]:
        return frozenset(map(normalise_host if self.attribute.kind is Kind.DOMAIN else fold, self.values))

    @property
    def parts(self) -> tuple[Condition, ...]:
        return (self,)

    def as_json(self) -> dict[str, Any]:
        return {
            "attribute": self.attribute.name,
            "operator": self.operator.value,
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which at least one must match."""

    parts: tuple[Condition, ...]

    def as_json(self) -> dict[str, Any]:
        return {"any": [part.as_json() for part in self.parts]}


Clause = Condition | AnyOf
FindAttribute = Callable[[str], Attribute | None]


@dataclass(frozen=True, slots=True)
class Names:
    """Labels of IDs: (attribute name, id) -> label; of attributes by (their name, '')."""

    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def attribute(self, attribute: Attribute) -> str:
        return self.labels.get((attribute.name, ""), attribute.label)

    def value(self, attribute: Attribute, value: str) -> str:
        return self.labels.get((attribute.name, value), value)


def parse(stored: Any, find_attribute: FindAttribute) -> tuple[Clause, ...]:
    """Return stored conditions as values. Raises: ConditionError for the first that is not valid.

    find_attribute: gives the attribute of a name, or None.
    """
    if not isinstance(stored, list):
        raise ConditionError(0, "Conditions must be a list.")
    clauses: list[Clause] = []
    number = 0
    for item in stored:
        parts = item["any"] if isinstance(item, dict) and set(item) == {"any"} else [item]
        if not isinstance(parts, list) or not parts:
            raise ConditionError(number, "A condition needs an attribute, an operator and values.")
        if number + len(parts) > MAX_CONDITIONS:
            raise ConditionError(0, f"There can be at most {MAX_CONDITIONS} conditions.")
        parsed = tuple(_parse(number + at, part, find_attribute) for at, part in enumerate(parts))
        clauses.append(parsed[0] if len(parsed) == 1 else AnyOf(parsed))
        number += len(parts)
    return tuple(clauses)


def _parse(index: int, item: Any, find_attribute: FindAttribute) -> Condition:
    if not isinstance(item, dict) or set(item) - {"attribute", "operator", "values"}:
        raise ConditionError(index, "A condition needs an attribute, an operator and values.")
    attribute = find_attribute(str(item.get("attribute")))
    if attribute is None:
        raise ConditionError(index, "Choose a field for the condition.")
    allowed = OPERATORS[attribute.kind]
    operator = next((one for one in allowed if one.value == item.get("operator")), None)
    if operator is None:
        raise ConditionError(
            index, f"This comparison is not possible for {attribute.label}. Choose another one."
        )
    values = item.get("values", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConditionError(index, "The values of a condition must be text.")
    kept = tuple(dict.fromkeys(text for value in values if (text := value.strip())))
    if operator in WITHOUT_VALUES:
        return Condition(attribute, operator)
    if not kept:
        raise ConditionError(index, f"Enter a value for {attribute.label.lower()}.")
    if len(kept) > MAX_VALUES or any(len(value) > MAX_VALUE_LENGTH for value in kept):
        raise ConditionError(
            index, f"At most {MAX_VALUES} values of at most {MAX_VALUE_LENGTH} characters fit in a condition."
        )
    if attribute.kind is Kind.NUMBER and (len(kept) != 1 or as_number(kept[0]) is None):
        raise ConditionError(index, f"Enter one number for {attribute.label.lower()}.")
    if attribute.kind is Kind.DOMAIN:
        kept = tuple(dict.fromkeys(value.lower().removeprefix("@") for value in kept))
        if any("@" in value for value in kept):
            raise ConditionError(index, "Enter only the domain, such as acme.com.")
    return Condition(attribute, operator, kept)


def flatten(clauses: Iterable[Clause]) -> Iterator[Condition]:
    """Yield every condition, in order: those of which any must match as well."""
    for clause in clauses:
        yield from clause.parts


def hold(clauses: Iterable[Clause], subject: Subject) -> bool:
    """Return whether every clause matches. On what is unknown no condition matches, not even 'is not'."""
    return all(any(_holds(part, subject) for part in clause.parts) for clause in clauses)


def digest_conditions(clauses: Iterable[Clause]) -> str:
    """Return a digest of the conditions."""
    written = dumps([clause.as_json() for clause in clauses], sort_keys=True)
    return sha256(written.encode()).hexdigest()[:16]


def say(clause: Clause, names: Names | None = None) -> str:
    """Return the clause in words, such as “Tags has any of “vip”, “emea””."""
    return " or ".join(_say(part, names or Names()) for part in clause.parts)


def _say(condition: Condition, names: Names) -> str:
    values = ", ".join(f"“{names.value(condition.attribute, value)}”" for value in condition.values)
    return f"{names.attribute(condition.attribute)} {WORDS[condition.operator]} {values}".rstrip()


def _holds(condition: Condition, subject: Subject) -> bool:
    kind, operator = condition.attribute.kind, condition.operator
    values = subject.get_values(condition.attribute.name)
    if values is None:
        return False
    if kind is Kind.LIST:
        return (not set(values).isdisjoint(condition.values)) is (operator is Operator.IS)
    if kind is Kind.TAGS:
        return _TAGS[operator](condition.folded, set(map(fold, values)))
    value = next(iter(values), "")
    if kind is Kind.DOMAIN:
        return _domain_holds(condition, value)
    if kind is Kind.NUMBER:
        return _number_holds(condition, value)
    return _TEXTS[operator](condition.folded, fold(value))


def _domain_holds(condition: Condition, domain: str) -> bool:
    if condition.operator is Operator.IS_OR_BELOW:
        return any(domain == value or domain.endswith(f".{value}") for value in condition.folded)
    return (domain in condition.folded) is (condition.operator is Operator.IS)


def _number_holds(condition: Condition, value: str) -> bool:
    number, bound = as_number(value), as_number(condition.values[0])
    if number is None or bound is None:
        return False
    return number >= bound if condition.operator is Operator.AT_LEAST else number <= bound


_TAGS: dict[Operator, Callable[[Collection[str], set[str]], bool]] = {
    Operator.HAS_ANY: lambda wanted, tags: not tags.isdisjoint(wanted),
    Operator.HAS_ALL: lambda wanted, tags: tags.issuperset(wanted),
    Operator.HAS_NONE: lambda wanted, tags: tags.isdisjoint(wanted),
}
_TEXTS: dict[Operator, Callable[[Collection[str], str], bool]] = {
    Operator.IS: lambda wanted, value: value in wanted,
    Operator.IS_NOT: lambda wanted, value: value not in wanted,
    Operator.CONTAINS: lambda wanted, value: any(one in value for one in wanted),
    Operator.STARTS_WITH: lambda wanted, value: any(value.startswith(one) for one in wanted),
    Operator.IS_EMPTY: lambda _, value: not value,
    Operator.IS_FILLED: lambda _, value: bool(value),
}


def fold(text: str) -> str:
    """Return the text normalized for comparison: case, spaces and Unicode."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def as_number(text: str) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # also False for nan
