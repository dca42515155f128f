"""Which CSS may stand in a style attribute: property by property, value by value.

nh3 can restrict properties but not values, and kept `expression(` in some outputs. So each
declaration is parsed with tinycss2 and written anew from what is recognised; nothing that was
not understood is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import tinycss2
from tinycss2.ast import Declaration

# A dimension in a unit that every mail client knows. vw, vh and calc() are left out: they
# depend on a viewport that a signature cannot know.
_UNITS = frozenset({"px", "pt", "em", "rem", "%"})
_MAX_LENGTH = 2_000

_COLOUR_NAMES = frozenset(
    {
        "black",
        "white",
        "gray",
        "grey",
        "silver",
        "red",
        "maroon",
        "navy",
        "blue",
        "teal",
        "green",
        "olive",
        "purple",
    }
)
_LINE_STYLES = frozenset({"none", "solid", "dashed", "dotted", "double"})

_COLOUR = frozenset({"colour"})
_LENGTH = frozenset({"length"})
_SIDES = ("top", "right", "bottom", "left")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _allowed_values() -> dict[str, frozenset[str]]:
    """Return property -> what its value may be made of: kinds (length, colour, …) and keywords."""
    border = _LENGTH | _COLOUR | _LINE_STYLES
    table: dict[str, frozenset[str]] = {
        # Ink and ground. `background` is limited to a colour: url() would fetch.
        "color": _COLOUR,
        "background": _COLOUR | {"none"},
        "background-color": _COLOUR,
        # Type. Families are names only; a web font would have to be fetched.
        "font": _LENGTH | _words("family slash number normal italic bold bolder lighter"),
        "font-family": _words("family"),
        "font-size": _LENGTH | _words("small medium large smaller larger"),
        "font-style": _words("normal italic"),
        "font-variant": _words("normal small-caps"),
        "font-weight": _words("number normal bold bolder lighter"),
        "letter-spacing": _LENGTH | _words("normal negative"),
        "line-height": _LENGTH | _words("number normal"),
        "text-align": _words("left right center justify"),
        "text-decoration": _COLOUR | _words("none underline line-through solid dotted"),
        "text-decoration-color": _COLOUR,
        "text-transform": _words("none uppercase lowercase capitalize"),
        "white-space": _words("normal nowrap"),
        "word-break": _words("normal break-word"),
        "overflow-wrap": _words("normal break-word anywhere"),
        "direction": _words("ltr rtl"),
        # Boxes. No position, float, transform or z-index, and no display: none: a signature
        # must neither cover the message it stands under nor carry text its reader cannot see.
        "display": _words("block inline inline-block table table-row table-cell"),
        "vertical-align": _LENGTH | _words("top middle bottom baseline"),
        "width": _LENGTH | {"auto"},
        "min-width": _LENGTH,
        "max-width": _LENGTH | {"none"},
        "height": _LENGTH | {"auto"},
        "padding": _LENGTH,
        "margin": _LENGTH | {"auto"},
        "border": border,
        "border-color": _COLOUR,
        "border-width": _LENGTH,
        "border-style": _LINE_STYLES,
        "border-radius": _LENGTH,
        "border-collapse": _words("collapse separate"),
        "border-spacing": _LENGTH,
        "table-layout": _words("auto fixed"),
        "outline": _words("none length"),
        # Outlook's spacing quirks: both only turn its own additions off.
        "mso-line-height-rule": _words("exactly"),
        "mso-table-lspace": _LENGTH,
        "mso-table-rspace": _LENGTH,
        "-ms-interpolation-mode": _words("bicubic"),
        "-webkit-text-size-adjust": _LENGTH | {"none"},
    }
    for side in _SIDES:
        table[f"padding-{side}"] = _LENGTH
        table[f"margin-{side}"] = _LENGTH | {"auto"}
        table[f"border-{side}"] = border
        table[f"border-{side}-color"] = _COLOUR
        table[f"border-{side}-width"] = _LENGTH
        table[f"border-{side}-style"] = _LINE_STYLES
    return table


ALLOWED_STYLES = _allowed_values()


@lru_cache(maxsize=4096)
def clean_style(style: str) -> str:
    """Return the declarations of `style` that are allowed, in canonical writing.

    Feeding the result in again returns it unchanged. `!important` is dropped: once styles
    are inline there is nothing left for it to override, and it would beat a reader's own
    dark mode.
    """
    return "; ".join(f"{name}: {value}" for name, value, _ in _declarations(style) if value)


def refused_declarations(style: str) -> list[str]:
    """Return the declarations of `style` that `clean_style` leaves out, as they were written."""
    return [written for _, value, written in _declarations(style) if not value]


def style_values(style: str) -> dict[str, str]:
    """Return property -> value of what is allowed in `style`; the last of two wins."""
    return {name: value for name, value, _ in _declarations(style) if value}


def _declarations(style: str) -> Iterator[tuple[str, str, str]]:
    """Yield (property, canonical value or "" when refused, as written) for each declaration."""
    # A backslash starts an escape, by which `url` can be written so that it does not look like it.
    if "\\" in style:
        yield "", "", style
        return
    for node in tinycss2.parse_declaration_list(style, skip_comments=True, skip_whitespace=True):
        if not isinstance(node, Declaration):
            yield "", "", node.serialize() if node.type != "error" else style
            continue
        kinds = ALLOWED_STYLES.get(node.lower_name)
        value = _clean_value(node.value, kinds) if kinds else ""
        yield node.lower_name, value, f"{node.name}: {tinycss2.serialize(node.value).strip()}"


def _clean_value(tokens: list[Any], kinds: frozenset[str]) -> str:
    """Return the value rewritten from its tokens, or "" when any of them is not allowed."""
    words: list[str] = []
    for token in tokens:
        if token.type in ("whitespace", "comment"):
            continue
        if token.type == "literal" and token.value in ",/":
            if not words or (token.value == "," and "family" not in kinds):
                return ""
            if token.value == "/" and "slash" not in kinds:
                return ""
            words.append(token.value)
            continue
        writer = _WRITERS.get(token.type)
        word = writer(token, kinds) if writer else ""
        if not word:
            return ""
        words.append(word)
    return " ".join(words).replace(" ,", ",").replace(" / ", "/")


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"


def _write_dimension(token: Any, kinds: frozenset[str]) -> str:
    unit = "%" if token.type == "percentage" else token.lower_unit
    lowest = -_MAX_LENGTH if "negative" in kinds else 0
    if "length" not in kinds or unit not in _UNITS or not lowest <= token.value <= _MAX_LENGTH:
        return ""
    return f"{_number(token.value)}{unit}"


def _write_number(token: Any, kinds: frozenset[str]) -> str:
    if token.value == 0 and "length" in kinds:
        return "0"
    return _number(token.value) if "number" in kinds and 0 < token.value <= 1_000 else ""


def _write_hash(token: Any, kinds: frozenset[str]) -> str:
    digits = str(token.value).lower()
    is_colour = len(digits) in (3, 6, 8) and all(digit in "0123456789abcdef" for digit in digits)
    return f"#{digits}" if "colour" in kinds and is_colour else ""


def _write_ident(token: Any, kinds: frozenset[str]) -> str:
    word = str(token.lower_value)
    if word in kinds - _KINDS:
        return word
    if "colour" in kinds and (word in _COLOUR_NAMES or word in ("transparent", "inherit", "currentcolor")):
        return word
    if "family" in kinds and _is_font_name(str(token.value)):
        return str(token.value)
    return ""


def _write_string(token: Any, kinds: frozenset[str]) -> str:
    return f"'{token.value}'" if "family" in kinds and _is_font_name(str(token.value)) else ""


def _write_function(token: Any, kinds: frozenset[str]) -> str:
    """Return rgb(r, g, b) or rgba(r, g, b, a); no other function is a value here."""
    if "colour" not in kinds or token.lower_name not in ("rgb", "rgba"):
        return ""
    parts = [part for part in token.arguments if part.type not in ("whitespace", "comment")]
    if not all(part.type in ("number", "percentage") or part == "," for part in parts):
        return ""
    numbers = [
        _number(part.value) + ("%" if part.type == "percentage" else "") for part in parts if part != ","
    ]
    in_range = all(0 <= part.value <= 255 for part in parts if part != ",")
    return f"{token.lower_name}({', '.join(numbers)})" if len(numbers) in (3, 4) and in_range else ""


def _is_font_name(name: str) -> bool:
    return (
        0 < len(name) <= 60
        and all(c.isascii() and (c.isalnum() or c in " -_") for c in name)
        and name[0] != " "
    )


_KINDS = frozenset({"length", "colour", "family", "number", "slash", "negative"})
_WRITERS: dict[str, Callable[[Any, frozenset[str]], str]] = {
    "dimension": _write_dimension,
    "percentage": _write_dimension,
    "number": _write_number,
    "hash": _write_hash,
    "ident": _write_ident,
    "string": _write_string,
    "function": _write_function,
}
