"""Value shapes: says of which kind a value of a reply is, and never the value itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import jsonapi
from .jsonapi import FieldError


@dataclass(frozen=True, slots=True)
class Kind:
    words: str
    is_needed: bool  # null or absent makes the record unusable; else it leaves the value we had


TEXT, INSTANT = (
    Kind("text or null", is_needed=False),
    Kind("instant with a zone, or null", is_needed=False),
)
NEEDED_TEXT, NEEDED_FLAG = Kind("text", is_needed=True), Kind("true or false", is_needed=True)
FLAG, NUMBER = Kind("true, false or null", is_needed=False), Kind("id", is_needed=True)

ABSENT: Any = object()


def get_attribute(item: Mapping[str, Any], name: str) -> Any:
    return get_object(item, "attributes").get(name, ABSENT)


def get_object(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = item.get(name)
    return value if isinstance(value, Mapping) else {}


def matches_kind(kind: Kind, value: Any) -> bool:
    if value is None:
        return not kind.is_needed
    if kind in (NEEDED_TEXT, TEXT):
        return isinstance(value, str)
    if kind in (NEEDED_FLAG, FLAG):
        return isinstance(value, bool)
    if kind is NUMBER:
        return is_id(value)
    return read_instant(value) is not None


def get_instant(item: Mapping[str, Any], name: str) -> datetime | None:
    return read_instant(get_attribute(item, name))


def read_instant(value: Any) -> datetime | None:
    try:
        return jsonapi.instant({"at": value}, "at")
    except FieldError:
        return None


def get_owner(item: Mapping[str, Any]) -> str:
    value = get_attribute(item, "userId")
    return str(value) if is_id(value) else ""


def is_id(value: Any) -> bool:
    return type(value) in (int, str) and re.fullmatch(r"[1-9][0-9]{0,18}", str(value), re.ASCII) is not None


def describe_form(value: str) -> str:
    """Return the form of a header: its digits as 9, so that the number itself stays here."""
    return f"of the form {re.sub(r'[0-9]', '9', value)[:40]}" if value else "absent"


def describe_shape(value: Any) -> str:
    """Return a value's type, and its length where it has one."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case str():
            return "instant" if read_instant(value) else "text"
        case list():
            return "list"
        case dict():
            return "object"
    return "nothing"


def describe_key(name: str) -> str:
    """Return an attribute's name as it came, unless it could be somebody's words."""
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,40}", name, re.ASCII) else f"a key of {len(name)}"


def count_shapes(shapes: Sequence[str]) -> str:
    return ", ".join(f"{shape} in {shapes.count(shape)}" for shape in sorted(set(shapes)))


def get_most_common(shapes: Sequence[str]) -> str:
    return max(sorted(set(shapes)), key=shapes.count, default="no record")
