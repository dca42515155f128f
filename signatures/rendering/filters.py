"""The filters a template may use. Each passes a missing value through, so its line still disappears."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from liquid.exceptions import FilterArgumentError

from signatures.rendering.colours import readable_ink

MAX_TRUNCATE = 1_000
_EXTENSION = re.compile(r"(?:;?\s*ext[.:=]?|x|#)\s*(\d+)$", re.IGNORECASE)
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")


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


def _tel(text: str) -> str:
    """Return the RFC 3966 link of a phone number: tel:+14155550142;ext=204."""
    extension = _EXTENSION.search(text)
    number = text[: extension.start()] if extension else text
    if number.lstrip().startswith("+"):
        # "+44 (0)20 …" shows the trunk zero for callers inside the country; dialled after
        # the country code it reaches nobody.
        number = _TRUNK_ZERO.sub("", number)
    digits = "".join(str(int(character)) for character in number if character.isdecimal())
    plus = "+" if number.lstrip().startswith("+") else ""
    return f"tel:{plus}{digits}" + (f";ext={extension[1]}" if extension else "")


def _url_encode(text: str) -> str:
    return quote(text, safe="@")


FILTERS: dict[str, Callable[..., object]] = {
    "capitalize": _on_text(_capitalize),
    "contrast": _on_text(readable_ink),
    "default": default,
    "downcase": _on_text(str.lower),
    # Every output is escaped anyway; the word is accepted because people who know Liquid write it.
    "escape": _on_text(str),
    "strip": _on_text(str.strip),
    "tel": _on_text(_tel),
    "truncate": truncate,
    "upcase": _on_text(str.upper),
    "url_encode": _on_text(_url_encode),
}
