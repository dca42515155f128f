"""Styles: the CSS that is allowed in a style attribute, by property and value.

nh3 can restrict properties but not values, and kept `expression(` in some outputs. So each
declaration is parsed with tinycss2 and written anew from what is recognised; nothing that was
not understood is copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import tinycss2
from tinycss2.ast import Declaration

from signatures.rendering.colours import read_colour

# A dimension in a unit that every mail client knows. vw, vh and calc() are left out: they
# depend on a viewport that a signature cannot know.
_UNITS = frozenset({"px", "pt", "em", "rem", "%"})
# Word writes inches and centimetres; CSS defines their size in pixels.
PIXELS = {"in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pc": 16}
# Accepted for zero only, which is the same in every unit.
_ZERO_UNITS = frozenset({"ex", "ch", "lh", "rlh", "vw", "vh", "vi", "vb", "vmin", "vmax"})
_MAX_LENGTH = 2_000
MAX_STYLE_LENGTH = 4_000
# Deep brackets and endless numbers: no real declaration has them, and the parser raises on them.
_TOO_MUCH = re.compile(r"[0-9]{40}|(?:[(\[{][^(\[{]*+){40}")

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
# Names of Word and browsers for the default text colour.
_INK_NAMES = frozenset({"windowtext", "canvastext"})
_LINE_STYLES = frozenset({"none", "solid", "dashed", "dotted", "double"})

_COLOUR = frozenset({"colour"})
_LENGTH = frozenset({"length"})
_SIDES = ("top", "right", "bottom", "left")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BORDER = _LENGTH | _COLOUR | _LINE_STYLES
# Property -> allowed parts of its value: kinds (length, colour, …) and keywords.
_UNSIDED: dict[str, frozenset[str]] = {
    # Colours. `background` is limited to a colour: url() would fetch.
    "color": _COLOUR,
    "background": _COLOUR | {"none"},
    "background-color": _COLOUR,
    # Fonts. Families are names only; a web font would have to be fetched.
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
    # Boxes. No position, float, transform or z-index: a signature must not cover the message it ends
    # under. No display: none, and `hidden` takes out what it hides. Text of no size or no colour can still
    # be written, since size 0 is how designers close gaps between pictures; `lint` names it.
    "display": _words("block inline inline-block table table-row table-cell"),
    "vertical-align": _LENGTH | _words("top middle bottom baseline"),
    "width": _LENGTH | {"auto"},
    "min-width": _LENGTH,
    "max-width": _LENGTH | {"none"},
    "height": _LENGTH | {"auto"},
    "padding": _LENGTH,
    "margin": _LENGTH | {"auto"},
    "border": _BORDER,
    "border-color": _COLOUR,
    "border-width": _LENGTH,
    "border-style": _LINE_STYLES,
    "border-radius": _LENGTH,
    "border-collapse": _words("collapse separate"),
    "border-spacing": _LENGTH,
    "table-layout": _words("auto fixed"),
    "outline": _words("none length"),
    # Outlook's spacing: both only switch off what it adds.
    "mso-line-height-rule": _words("exactly"),
    "mso-table-lspace": _LENGTH,
    "mso-table-rspace": _LENGTH,
    "-ms-interpolation-mode": _words("bicubic"),
    "-webkit-text-size-adjust": _LENGTH | {"none"},
}
_OF_A_SIDE: dict[str, frozenset[str]] = {
    "padding-{side}": _LENGTH,
    "margin-{side}": _LENGTH | {"auto"},
    "border-{side}": _BORDER,
    "border-{side}-color": _COLOUR,
    "border-{side}-width": _LENGTH,
    "border-{side}-style": _LINE_STYLES,
}
ALLOWED_STYLES = _UNSIDED | {
    name.format(side=side): kinds for side in _SIDES for name, kinds in _OF_A_SIDE.items()
}

# Hides an element. Read when a template is saved, so that the hidden element can be removed.
_HIDING: dict[str, frozenset[str]] = {
    "display": frozenset({"none"}),
    "visibility": _words("hidden visible"),
    "opacity": _words("number length"),
    "overflow": _words("hidden visible"),
    "max-height": _LENGTH | {"none"},
}
_IS_ZERO = re.compile(r"0(?![.\d])")


@dataclass(frozen=True, slots=True)
class _Style:
    """One declaration. value: canonical, "" when refused. fonts: names that were removed from it."""

    name: str
    value: str
    written: str
    is_important: bool = False
    fonts: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def clean_style(style: str) -> str:
    """Return the declarations of `style` that are allowed, in canonical form.

    Feeding the result in again returns it unchanged. `!important` is dropped: once styles
    are inline there is nothing left for it to override, and it would beat a reader's own
    dark mode.
    """
    return "; ".join(f"{one.name}: {one.value}" for one in _declarations(style) if one.value)


def convert_style(style: str) -> str:
    """Return the same as `clean_style`, with colours in the form that every mail client reads."""
    return "; ".join(f"{one.name}: {one.value}" for one in _declarations(style, _HEX) if one.value)


def draft_style(style: str) -> str:
    """Return the same as `convert_style` with what affects other styles: `!important`, and what hides an element."""
    return "; ".join(
        f"{one.name}: {one.value}{' !important' * one.is_important}"
        for one in _declarations(style, _HEX, is_draft=True)
        if one.value
    )


def hides(style: str) -> bool:
    """Return whether an element with this style is invisible."""
    values = {one.name: one.value for one in _declarations(style, _HEX, is_draft=True) if one.value}
    is_flat = any(_IS_ZERO.match(values.get(name, "")) for name in ("height", "max-height"))
    return (
        values.get("display") == "none"
        or values.get("visibility") == "hidden"
        or _IS_ZERO.match(values.get("opacity", "")) is not None
        or (values.get("overflow") == "hidden" and is_flat)
    )


def refused_declarations(style: str) -> list[str]:
    """Return the declarations of `style` that `convert_style` leaves out, as they were written."""
    return [one.written for one in _declarations(style, _HEX) if not one.value]


def refused_fonts(style: str) -> list[str]:
    """Return the names that `clean_style` leaves out of lists of fonts that stay."""
    return [font for one in _declarations(style, _HEX) if one.value for font in one.fonts]


def style_values(style: str) -> dict[str, str]:
    """Return property -> value of what is allowed in `style`; the last of two wins."""
    return {one.name: one.value for one in _declarations(style) if one.value}


@lru_cache(maxsize=4096)
def _declarations(
    style: str, more_kinds: frozenset[str] = frozenset(), *, is_draft: bool = False
) -> tuple[_Style, ...]:
    """Return each declaration of `style`.

    Escapes are decoded first, and every value is written from the decoded tokens, so `u\\72l(` is url( here.
    """
    if len(style) > MAX_STYLE_LENGTH or _TOO_MUCH.search(style):
        return (_Style("", "", style),)
    return tuple(_read_declarations(style, more_kinds, _HIDING if is_draft else {}))


def _read_declarations(
    style: str, more_kinds: frozenset[str], more_styles: dict[str, frozenset[str]]
) -> Iterator[_Style]:
    for node in tinycss2.parse_declaration_list(style, skip_comments=True, skip_whitespace=True):
        if not isinstance(node, Declaration):
            yield _Style("", "", node.serialize() if node.type != "error" else style)
            continue
        kinds = ALLOWED_STYLES.get(node.lower_name, frozenset())
        kinds |= more_styles.get(node.lower_name, frozenset())
        value, fonts = _clean_value(node.value, kinds | more_kinds) if kinds else ("", ())
        written = f"{node.name}: {tinycss2.serialize(node.value).strip()}"
        yield _Style(node.lower_name, value, written, node.important, fonts)


def _clean_value(tokens: list[Any], kinds: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return the value rewritten from its tokens, "" when any of them is not allowed; and the fonts left out.

    In a list of fonts, only those with names that are not allowed are removed.
    """
    parts: list[list[Any]] = [[]]
    for piece in tokens:
        if piece.type == "literal" and piece.value == "," and "family" in kinds:
            parts.append([])
        elif piece.type not in ("whitespace", "comment"):
            parts[-1].append(piece)
    values = [_clean_words(part, kinds) for part in parts]
    # In `font` the first part contains the size as well.
    if not parts[0] or not (values[0] or (any(values) and "length" not in kinds)):
        return "", ()
    left_out = (
        tinycss2.serialize(part) for part, value in zip(parts, values, strict=True) if part and not value
    )
    # An extra comma is kept, as in signatures stored before.
    kept = [value for part, value in zip(parts, values, strict=True) if value or not part]
    return kept[0] + "".join(f", {value}" if value else "," for value in kept[1:]), tuple(left_out)


def _clean_words(tokens: list[Any], kinds: frozenset[str]) -> str:
    words: list[str] = []
    for piece in tokens:
        if piece.type == "literal" and piece.value == "/" and words and "slash" in kinds:
            words.append("/")
            continue
        writer = _WRITERS.get(piece.type)
        word = writer(piece, kinds) if writer else ""
        if not word:
            return ""
        words.append(word)
    return " ".join(words).replace(" / ", "/")


def _number(value: float) -> str:
    # Adding zero removes the sign of a negative zero.
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".") or "0"


def _write_dimension(token: Any, kinds: frozenset[str]) -> str:
    unit, value = "%" if token.type == "percentage" else token.lower_unit, token.value
    if unit in PIXELS:
        unit, value = "px", value * PIXELS[unit]
    lowest = -_MAX_LENGTH if "negative" in kinds else 0
    if "length" not in kinds or not lowest <= value <= _MAX_LENGTH:
        return ""
    if value == 0 and token.type == "dimension" and token.lower_unit in PIXELS | dict.fromkeys(_ZERO_UNITS):
        return "0"
    return f"{_number(value)}{unit}" if unit in _UNITS else ""


def _write_number(token: Any, kinds: frozenset[str]) -> str:
    if token.value == 0 and "length" in kinds:
        return "0"
    return _number(token.value) if "number" in kinds and 0 < token.value <= 1_000 else ""


def _write_hash(token: Any, kinds: frozenset[str]) -> str:
    digits = str(token.value).lower()
    is_colour = len(digits) in (3, 6, 8) and all(digit in "0123456789abcdef" for digit in digits)
    if "colour" in kinds and len(digits) == 4:
        return read_colour(token)
    return f"#{digits}" if "colour" in kinds and is_colour else ""


def _write_ident(token: Any, kinds: frozenset[str]) -> str:
    word = str(token.lower_value)
    if word in kinds - _KINDS:
        return word
    if "colour" in kinds and (word in _COLOUR_NAMES or word in ("transparent", "inherit", "currentcolor")):
        return word
    if "colour" in kinds and word in _INK_NAMES:
        return "currentcolor"
    if "colour" in kinds and (colour := read_colour(token)):
        return colour
    if "family" in kinds and _FONT_WORD.fullmatch(str(token.value)) and _is_font_name(str(token.value)):
        return str(token.value)
    return ""


def _write_string(token: Any, kinds: frozenset[str]) -> str:
    return f"'{token.value}'" if "family" in kinds and _is_font_name(str(token.value)) else ""


def _write_function(token: Any, kinds: frozenset[str]) -> str:
    """Return the colour that rgb(), hsl() or hwb() is; no other function is allowed."""
    if "colour" not in kinds:
        return ""
    # Signatures that were stored before may contain rgb(r, g, b), and stay the same.
    return ("" if "hex" in kinds else _write_rgb(token)) or read_colour(token)


def _write_rgb(token: Any) -> str:
    if token.lower_name not in ("rgb", "rgba"):
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
    """Return whether `name` consists of letters and digits of any script, spaces, and - _ . + only."""
    return (
        0 < len(name) <= 60
        and all(c in " -_.+" or unicodedata.category(c)[0] in "LMN" for c in name)
        and name[0] != " "
    )


_FONT_WORD = re.compile(r"-?[^\W\d][^\s.+]*")  # what is one word again when it is parsed without quotes
_KINDS = frozenset({"length", "colour", "family", "number", "slash", "negative", "hex"})
_HEX = frozenset({"hex"})
_WRITERS: dict[str, Callable[[Any, frozenset[str]], str]] = {
    "dimension": _write_dimension,
    "percentage": _write_dimension,
    "number": _write_number,
    "hash": _write_hash,
    "ident": _write_ident,
    "string": _write_string,
    "function": _write_function,
}
