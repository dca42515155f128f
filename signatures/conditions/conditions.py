"""Conditions: tells whether a recipient is in a campaign's audience, from given facts, without database or look-up.

Facts from a prospect's record are not stored.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from json import dumps
from typing import Any

from portal.hostnames import normalise_host

MAX_CONDITIONS = 20
MAX_VALUES = 200
MAX_VALUE_LENGTH = 255
CUSTOM_FIELDS = 150


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
    """An attribute of recipients. needs_prospect: it is only known from the recipient's record in Outreach."""

    name: str
    label: str
    kind: Kind
    needs_prospect: bool = True


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("email_domain", "E-mail domain", Kind.DOMAIN, needs_prospect=False),
    Attribute("list", "Recipient list", Kind.LIST, needs_prospect=False),
    Attribute("title", "Title", Kind.TEXT),
    Attribute("occupation", "Occupation", Kind.TEXT),
    Attribute("company", "Company", Kind.TEXT),
    Attribute("tags", "Tags", Kind.TAGS),
    Attribute("region", "Region", Kind.TEXT),
    Attribute("city", "City", Kind.TEXT),
    Attribute("state", "State", Kind.TEXT),
    Attribute("country", "Country", Kind.TEXT),
    Attribute("time_zone", "Time zone", Kind.TEXT),
    Attribute("source", "Source", Kind.TEXT),
    Attribute("campaign", "Campaign name in Outreach", Kind.TEXT),
    Attribute("event", "Event name", Kind.TEXT),
    Attribute("external_source", "External source", Kind.TEXT),
    Attribute("score", "Score", Kind.NUMBER),
    Attribute("engaged_score", "Engaged score", Kind.NUMBER),
    Attribute("owner", "Owner", Kind.ID),
    Attribute("stage", "Stage", Kind.ID),
    Attribute("persona", "Persona", Kind.ID),
    Attribute("account", "Account", Kind.ID),
    *(
        Attribute(f"custom{number}", f"Custom field {number}", Kind.TEXT)
        for number in range(1, CUSTOM_FIELDS + 1)
    ),
)
ATTRIBUTE_BY_NAME: dict[str, Attribute] = {attribute.name: attribute for attribute in ATTRIBUTES}


class AudienceError(Exception):
    """A condition is not valid; `index` says which (from 0), the message why, to a person."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index
        self.message = message


@dataclass(frozen=True)
class Condition:
    """A condition on a recipient. values: as typed; ids of lists and of Outreach's records as text."""

    attribute: Attribute
    operator: Operator
    values: tuple[str, ...] = ()

    @cached_property
    def folded(self) -> frozenset[str]:
        return frozenset(map(normalise_host if self.attribute.kind is Kind.DOMAIN else fold, self.values))

    def as_json(self) -> dict[str, Any]:
        return {
            "attribute": self.attribute.name,
            "operator": self.operator.value,
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is known of one recipient while audiences are evaluated.

    email_domain: what follows the @, in lower case.
    list_ids: the recipient lists that hold the address or its domain, as text.
    values: attribute name -> text, from the recipient's record; None where Outreach knows no such prospect,
    or was not called.
    """

    email_domain: str
    list_ids: frozenset[str] = frozenset()
    values: Mapping[str, str] | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """Labels of IDs: (attribute name, id) -> label; custom fields by (their name, '')."""

    labels: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def attribute(self, attribute: Attribute) -> str:
        return self.labels.get((attribute.name, ""), attribute.label)

    def value(self, attribute: Attribute, value: str) -> str:
        return self.labels.get((attribute.name, value), value)


def parse_audience(stored: Any) -> tuple[Condition, ...]:
    """Return stored conditions as values. Raises: AudienceError for the first that is not valid."""
    if not isinstance(stored, list) or len(stored) > MAX_CONDITIONS:
        raise AudienceError(0, f"An audience has at most {MAX_CONDITIONS} conditions.")
    return tuple(_parse(index, item) for index, item in enumerate(stored))


def _parse(index: int, item: Any) -> Condition:
    if not isinstance(item, dict) or set(item) - {"attribute", "operator", "values"}:
        raise AudienceError(index, "A condition needs an attribute, an operator and values.")
    attribute = ATTRIBUTE_BY_NAME.get(str(item.get("attribute")))
    if attribute is None:
        raise AudienceError(index, "Choose a field for the condition.")
    allowed = OPERATORS[attribute.kind]
    operator = next((one for one in allowed if one.value == item.get("operator")), None)
    if operator is None:
        raise AudienceError(
            index, f"This comparison is not possible for {attribute.label}. Choose another one."
        )
    values = item.get("values", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise AudienceError(index, "The values of a condition must be text.")
    kept = tuple(dict.fromkeys(text for value in values if (text := value.strip())))
    if operator in WITHOUT_VALUES:
        return Condition(attribute, operator)
    if not kept:
        raise AudienceError(index, f"Enter a value for {attribute.label.lower()}.")
    if len(kept) > MAX_VALUES or any(len(value) > MAX_VALUE_LENGTH for value in kept):
        raise AudienceError(
            index, f"At most {MAX_VALUES} values of at most {MAX_VALUE_LENGTH} characters fit in a condition."
        )
    if attribute.kind is Kind.NUMBER and (len(kept) != 1 or as_number(kept[0]) is None):
        raise AudienceError(index, f"Enter one number for {attribute.label.lower()}.")
    if attribute.kind is Kind.DOMAIN:
        kept = tuple(dict.fromkeys(value.lower().removeprefix("@") for value in kept))
        if any("@" in value for value in kept):
            raise AudienceError(index, "Enter only the domain, such as acme.com.")
    return Condition(attribute, operator, kept)


def needs_prospect(conditions: Iterable[Condition]) -> bool:
    """Return whether the audience needs the recipient's record in Outreach."""
    return any(condition.attribute.needs_prospect for condition in conditions)


def get_needed(conditions: Iterable[Condition]) -> frozenset[str]:
    """Return the names of the prospect attributes in these conditions."""
    return frozenset(one.attribute.name for one in conditions if one.attribute.needs_prospect)


def is_in_audience(conditions: Sequence[Condition], recipient: Recipient) -> bool:
    """Return whether every condition matches. Without a record, no condition on one matches, not even 'is not'."""
    return all(_holds(condition, recipient) for condition in conditions)


def digest_audience(conditions: Iterable[Condition]) -> str:
    """Return a digest of the audience's conditions."""
    written = dumps([condition.as_json() for condition in conditions], sort_keys=True)
    return sha256(written.encode()).hexdigest()[:16]


def say(condition: Condition, names: Names | None = None) -> str:
    """Return the condition as a sentence, such as “Tags has any of “vip”, “emea””."""
    names = names or Names()
    values = ", ".join(f"“{names.value(condition.attribute, value)}”" for value in condition.values)
    return f"{names.attribute(condition.attribute)} {WORDS[condition.operator]} {values}".rstrip()


def _holds(condition: Condition, recipient: Recipient) -> bool:
    attribute = condition.attribute
    if attribute.kind is Kind.DOMAIN:
        return _domain_holds(condition, recipient.email_domain)
    if attribute.kind is Kind.LIST:
        return bool(recipient.list_ids.intersection(condition.values)) is (condition.operator is Operator.IS)
    if recipient.values is None:
        return False
    if attribute.kind is Kind.TAGS:
        return _TAGS[condition.operator](condition.folded, set(map(fold, recipient.tags)))
    value = recipient.values.get(attribute.name, "")
    if attribute.kind is Kind.NUMBER:
        return _number_holds(condition, value)
    return _TEXTS[condition.operator](condition.folded, fold(value))


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
