"""Strict JSON: reads one object of texts, and rejects by name each field that could be understood in two ways."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any


class Unreadable(Exception):
    """The body is not valid. field: the invalid member; '' for the whole body."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def read_texts(body: bytes, *, names: Collection[str], max_length: int) -> dict[str, str]:
    """Return the members `names` of a JSON object that has exactly these, as text.

    Raises: Unreadable for anything else: no UTF-8, a byte order mark, a member twice or unknown, a value
        that is no text, an empty or long one, one with a control character or half a surrogate pair.
    """
    try:
        found = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Unreadable("The body must be one JSON object in UTF-8.") from None
    if not isinstance(found, dict):
        raise Unreadable("The body must be a JSON object.")
    for name in found:
        if name not in names:
            raise Unreadable(f"Unknown member {name[:40]!a} here.", field=_printable(name[:40]))
    return {name: _read_text(found, name, max_length) for name in names}


def _read_text(found: dict[str, Any], name: str, max_length: int) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise Unreadable(
            f"{name} is missing." if name not in found else f"{name} must be a string.", field=name
        )
    text = value.strip()
    if not text or len(text) > max_length:
        raise Unreadable(f"{name} must have 1 to {max_length} characters.", field=name)
    if not text.isprintable():
        raise Unreadable(f"{name} contains a control character.", field=name)
    return text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unreadable(f"{name[:40]!a} occurs twice.", field=_printable(name[:40]))
        found[name] = value
    return found


def _printable(name: str) -> str:
    """Return a member's name with unpaired surrogates escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _no_constant(word: str) -> None:
    raise ValueError(word)
