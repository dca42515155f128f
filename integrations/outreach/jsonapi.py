"""JSON:API: reads documents into plain values, strict about the page, then about each field that is used."""

from __future__ import annotations

import html
import json
import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from integrations.errors import UnreadableReply

MAX_TEXT = 4_000
MAX_TEXTS = 1_000
MAX_SIGNATURE_BYTES = 65_535  # what Outreach takes back, counted in UTF-8

_ABSENT: Any = object()
BROKEN_TEXT: Any = ()
"""In the place of a text that holds half a character: no text, and no other kind of value either."""

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
_SPACES = re.compile(r"[\t\n\r\f\v\x1c-\x1f\x85\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});", re.ASCII)


class FieldError(Exception):
    """One field of one record does not fit; where it must, the record is rejected with this reason."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} {why}")
        self.name = name
        self.why = why


def parse_document(body: bytes) -> dict[str, Any]:
    """Return the document, or refuse the page whole; nothing of a page that does not parse is used.

    Refused: anything that is not one UTF-8 JSON object without a byte order mark; NaN, infinities,
    numbers too large, duplicate keys, keys with a lone surrogate, nesting deeper than the decoder goes
    (about 1,000 levels; nothing after it recurses). A value with a lone surrogate, as of a text that was
    cut within a character, cannot be stored: BROKEN_TEXT stands in its place, which fits nowhere.
    Raises: UnreadableReply.
    """
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_number,
        )
    except (ValueError, RecursionError) as error:
        # The decoder's own words quote no content, but its exception holds the page: do not chain it.
        raise _unreadable(type(error).__name__) from None
    if not isinstance(document, dict):
        raise _unreadable("not an object")
    # A lone surrogate can only arrive as an escape: strict UTF-8 has no bytes for it. Looking at every
    # value of a page costs as much as decoding it, so it is done only where there is such an escape.
    if b"\\ud" in body or b"\\uD" in body:
        _replace_surrogates(document)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number too large")
    return value


def _replace_surrogates(document: dict[str, Any]) -> None:
    containers: list[Any] = [document]
    while containers:
        container = containers.pop()
        if type(container) is dict and any(map(_is_broken, container)):
            raise _unreadable("lone surrogate")
        for place, value in list(container.items() if type(container) is dict else enumerate(container)):
            if type(value) is str and _is_broken(value):
                container[place] = BROKEN_TEXT
            elif type(value) is dict or type(value) is list:
                containers.append(value)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _unreadable(why: str) -> UnreadableReply:
    return UnreadableReply(
        "Outreach’s reply could not be read and was not used. "
        "The portal tries again; tell the operator if it happens again.",
        detail=why,
    )


def resources(document: dict[str, Any]) -> list[Any]:
    """Return the items of a listing as they came. Raises: UnreadableReply when there is no list."""
    items = document.get("data")
    if type(items) is not list:
        raise _unreadable("data is not a list")
    return items


def resource(document: dict[str, Any]) -> Any:
    """Return the one item of a document as it came. Raises: UnreadableReply when there is none."""
    item = document.get("data")
    if type(item) is not dict:
        raise _unreadable("data is not an object")
    return item


def next_link(document: dict[str, Any]) -> Any:
    """Return `links.next` as it came, or None. `links` may be absent, on an empty listing for one."""
    links = document.get("links")
    if links is None:
        return None
    if type(links) is not dict:
        raise _unreadable("links is not an object")
    return links.get("next")


def identity(item: Any, resource_type: str) -> str:
    """Return the id of `item` as text. Raises: FieldError for another type or an id we cannot use."""
    if type(item) is not dict:
        raise FieldError("record", "is not an object")
    remote_id = id_text(item.get("id"), "id")
    if item.get("type") != resource_type:
        raise FieldError("type", f"is not {resource_type}")
    return remote_id


def id_text(value: Any, name: str) -> str:
    """Return an id, which Outreach sends as an integer, as text without leading zeros."""
    if type(value) is int and 0 < value < 10**19:
        return str(value)
    if type(value) is str and _DIGITS.fullmatch(value) and int(value):
        return str(int(value))
    raise FieldError(name, "is not an id")


def attributes_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an item; none where the reply has null or nothing."""
    attributes = item.get("attributes")
    if attributes is None:
        return {}
    if type(attributes) is not dict:
        raise FieldError("attributes", "is not an object")
    return attributes


def text(attributes: dict[str, Any], name: str, longest: int = MAX_TEXT, *, is_escaped: bool = True) -> str:
    """Return one line of text: stripped, without control characters; '' for null. longest: in characters.

    Absent is an error and not '': it was asked for by name, and reading its absence as an empty title
    would empty signatures. Control characters (NUL among them, which PostgreSQL cannot hold) are
    dropped here, where a person typed a line and nobody compares it with what Outreach holds.
    is_escaped: `Sales &amp; Marketing`, as some imports leave it, is read as it was meant, once. Whoever
    shows a value escapes it, so that nothing becomes markup by this.
    """
    value = attributes.get(name, _ABSENT)
    if type(value) is str and len(value) <= MAX_TEXT:
        line = _one_line(_REFERENCE.sub(_resolve, value) if is_escaped and "&" in value else value)
        if len(line) <= longest:
            return line
    if value is None:
        return ""
    raise _no_text(value, name)


def _resolve(reference: re.Match[str]) -> str:
    return html.unescape(reference.group())


def _one_line(value: str) -> str:
    return value.strip() if value.isprintable() else _CONTROLS.sub("", _SPACES.sub(" ", value)).strip()


def markup(attributes: dict[str, Any], name: str) -> str:
    """Return HTML exactly as it came, so that it can be restored exactly; '' for null.

    NUL is an error: it cannot be stored, and leaving it out would not be the same signature. So is what is
    longer than Outreach takes, or it would be overwritten and could not be restored.
    """
    value = attributes.get(name, _ABSENT)
    if value is None:
        return ""
    if type(value) is not str or len(value) > MAX_SIGNATURE_BYTES:
        raise _no_text(value, name)
    if len(value.encode()) > MAX_SIGNATURE_BYTES:
        raise FieldError(name, f"is longer than {MAX_SIGNATURE_BYTES:,} bytes")
    if "\x00" in value:
        raise FieldError(name, "holds a NUL character")
    return value


def texts(attributes: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of lines of text as they came, empty ones left out; () for null."""
    values = attributes.get(name, _ABSENT)
    if values is None:
        return ()
    if type(values) is not list or len(values) > MAX_TEXTS:
        raise FieldError(name, "is not a list of texts")
    return tuple(line for line in (text({name: value}, name, is_escaped=False) for value in values) if line)


def flag(attributes: dict[str, Any], name: str) -> bool | None:
    """Return True or False, or None where the reply has null or nothing."""
    value = attributes.get(name)
    if value is not None and type(value) is not bool:
        raise FieldError(name, "is neither true nor false")
    return value


def instant(attributes: dict[str, Any], name: str) -> datetime | None:
    """Return an aware datetime in UTC, or None where the reply has null or nothing."""
    value = attributes.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise FieldError(name, "is not a time with a zone")


def to_one(item: dict[str, Any], name: str, resource_type: str) -> str | None:
    """Return the id a to-one relationship points to, '' for nobody, None where the reply did not say."""
    relationship = _relationship(item, name)
    if relationship is None or "data" not in relationship:
        return None
    linked = relationship["data"]
    return "" if linked is None else _linked(linked, name, resource_type)


def to_many(item: dict[str, Any], name: str, resource_type: str) -> frozenset[str] | None:
    """Return the ids of a to-many relationship, or None where the reply gave no complete list.

    Large sets come as a link alone; a `meta.count` above the number of ids given means the same.
    """
    relationship = _relationship(item, name)
    if relationship is None or "data" not in relationship:
        return None
    linked = relationship["data"]
    if type(linked) is not list:
        raise FieldError(name, "is not a list")
    meta = relationship.get("meta")
    count = meta.get("count") if type(meta) is dict else None
    if type(count) is int and count > len(linked):
        return None
    return frozenset([_linked(one, name, resource_type) for one in linked])


def _relationship(item: dict[str, Any], name: str) -> dict[str, Any] | None:
    relationships = item.get("relationships")
    if relationships is None:
        return None
    if type(relationships) is not dict:
        raise FieldError("relationships", "is not an object")
    relationship = relationships.get(name)
    if relationship is not None and type(relationship) is not dict:
        raise FieldError(name, "is not a relationship")
    return relationship


def _linked(linked: Any, name: str, resource_type: str) -> str:
    if type(linked) is not dict or linked.get("type") != resource_type:
        raise FieldError(name, f"does not name a {resource_type}")
    return id_text(linked.get("id"), name)


def _no_text(value: Any, name: str) -> FieldError:
    if value is _ABSENT:
        return FieldError(name, "is absent")
    return FieldError(name, "is too long" if type(value) is str else "is not a text")
