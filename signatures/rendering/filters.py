"""Filters: those a template may use. A missing value stays missing, so its line is still removed."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from liquid.exceptions import FilterArgumentError

from signatures.rendering.colours import readable_ink
from signatures.rendering.phones import get_link

MAX_TRUNCATE = 1_000


def _on_text(change: Callable[[str], str]) -> Callable[[object], str | None]:
    def apply(value: object) -> str | None:
        return None if value is None else change(str(value))

    return apply


def default(value: object, fallback: object = None) -> object:
    """Return `value`, or `fallback` where it is missing."""
    return fallback if value is None or value == "" else value


def truncate(value: object, length: object = 60, ending: object = "…") -> str | None:
    """Return `value` in at most `length` characters, the ending included."""
    if value is None:
        return None
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= MAX_TRUNCATE:
        raise FilterArgumentError(f"truncate needs a length from 1 to {MAX_TRUNCATE}", token=None)
    text, tail = str(value), "" if ending is None else str(ending)
    if len(text) <= length:
        return text
    return text[: max(0, length - len(tail))].rstrip() + tail[:length]


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def tel(value: object) -> str | None:
    """Return the tel: link of a phone number, or None where it cannot be parsed."""
    return None if value is None else get_link(str(value), getattr(value, "region", "")) or None


def _url_encode(text: str) -> str:
    return quote(text, safe="@")


FILTERS: dict[str, Callable[..., object]] = {
    "capitalize": _on_text(_capitalize),
    "contrast": _on_text(readable_ink),
    "default": default,
    "downcase": _on_text(str.lower),
    # Every output is escaped anyway; the filter is accepted because people who know Liquid write it.
    "escape": _on_text(str),
    "strip": _on_text(str.strip),
    "tel": tel,
    "truncate": truncate,
    "upcase": _on_text(str.upper),
    "url_encode": _on_text(_url_encode),
}
# Filter -> its maximum number of arguments, and the words for that; filters not named here take none.
FILTER_ARGUMENTS: dict[str, tuple[int, str]] = {
    "default": (1, "one value"),
    "truncate": (2, f"a length from 1 to {MAX_TRUNCATE:,} and an ending"),
}
