"""Losses: what a mail client does not show of a signature as it is written.

caniemail says of each property whether a client takes it, or partly. Which part is said there in words; the rules here
say the same of the tags and values that our sanitizer lets through. A part without a rule makes no difference to them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape

from signatures.rendering.clients.support import Client, Support, get_support
from signatures.rendering.styles import style_values
from signatures.rendering.tree import Element

_CELLS = frozenset({"td", "th"})
_INLINE = frozenset({"a", "b", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "u"})
_PIXELS = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,4})?)px")
_SEE_THROUGH = re.compile(r"rgba\(")
_IN_REM = re.compile(r"[0-9]rem\b")
_SIDE = re.compile(r"-(?:top|right|bottom|left)(?:-(?:color|width|style))?$|^(border)-(?:color|width|style)$")
# As good as nothing, so that nothing is lost with them.
_EMPTY = frozenset({"0", "none", "auto", "normal", "100%", "inherit", "baseline", "separate"})
MAX_BORDER = 8


@dataclass(frozen=True, slots=True)
class Style:
    """One declaration where it stands. has_exact_lines: mso-line-height-rule holds here."""

    element: Element
    name: str
    value: str
    has_exact_lines: bool = False

    @property
    def tag(self) -> str:
        return self.element.tag

    @property
    def has_width(self) -> bool:
        return "width" in self.element.attributes


@dataclass(frozen=True, slots=True)
class Loss:
    """A declaration that a client does not show, or not as written.

    effect: what a recipient sees instead. is_dropped: the client shows the signature as if it were not there.
    """

    client: Client
    style: Style
    effect: str
    remedy: str
    is_dropped: bool = True


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a partly supported feature is lost, what that looks like, and what to do."""

    holds: Callable[[Style], bool]
    effect: str
    remedy: str = ""
    is_dropped: bool = True


def _has_wide_border(style: Style) -> bool:
    return any(float(width) > MAX_BORDER for width in _PIXELS.findall(style.value))


def _changes_flow(style: Style) -> bool:
    if style.tag == "img":  # a picture in a cell stands alone either way
        return False
    return style.value == "inline-block" or (style.value == "inline") != (style.tag in _INLINE)


# Outlook for Windows, by what caniemail's notes say of it.
_PARTS: dict[str, _Rule] = {
    "css-padding": _Rule(
        lambda style: style.tag not in _CELLS,
        "the space is lost",
        "Put the words into a table cell, and give it the padding.",
    ),
    "css-width": _Rule(
        lambda style: style.tag in ("div", "p", "span", "img") and not style.has_width,
        "it is as wide as what it holds",
        "Use the width attribute, or a table cell.",
    ),
    "css-height": _Rule(
        lambda style: style.tag in ("div", "p", "span"),
        "it is as high as what it holds",
        "Use a table cell.",
    ),
    "css-max-width": _Rule(
        lambda style: style.tag != "table" and not style.has_width,
        "it may grow wider",
        "Use the width attribute, or a table.",
    ),
    "css-border": _Rule(
        lambda style: style.tag in ("div", "p") or _has_wide_border(style),
        "the border is not as drawn",
        "Use a table cell, and at most 8 pixels.",
    ),
    "css-display": _Rule(
        _changes_flow, "it keeps its usual place in the line", "Use table cells side by side."
    ),
    "css-margin": _Rule(
        lambda style: style.tag == "span" or "auto" in style.value.split(),
        "the space is lost",
        "Use a table cell with padding, or align.",
    ),
    "css-line-height": _Rule(
        lambda style: not style.has_exact_lines and style.value.endswith(("px", "em")),
        "lines may stand wider",
        "Add mso-line-height-rule: exactly to it.",
        is_dropped=False,
    ),
    "css-font-weight": _Rule(
        lambda style: style.value.isdigit() and style.value not in ("400", "600", "700", "800", "900"),
        "the words have normal weight",
    ),
    "css-text-decoration": _Rule(
        lambda style: " " in style.value, "the line under the words is missing", "Write underline alone."
    ),
    "css-text-transform": _Rule(
        lambda style: style.value == "lowercase", "the words keep their capitals", "Use the filter downcase."
    ),
}
# What a property that is not supported at all looks like; where none is named, it is not shown.
_EFFECTS = {
    "border-radius": "corners are square",
    "white-space": "lines may break there",
    "overflow-wrap": "long words may run over",
    "word-break": "words may break elsewhere",
    "table-layout": "columns are as wide as what they hold",
    "border-spacing": "cells stand without a gap",
    "min-width": "it may be narrower",
    "text-decoration-color": "the line has the colour of the words",
}
# Not supported by its own name, and shown all the same.
_REPLACED = frozenset({(Client.YAHOO, "css-height")})


def get_feature(name: str) -> str:
    """Return the caniemail page of a property; those of one side are on the page of all."""
    return f"css-{_SIDE.sub(lambda found: found[1] or '', name)}"


def read_styles(root: Element) -> Iterator[Style]:
    """Yield each declaration below `root`, in reading order."""
    yield from _read_styles(root, has_exact_lines=False)


def _read_styles(node: Element, *, has_exact_lines: bool) -> Iterator[Style]:
    values = style_values(unescape(node.attributes.get("style", "")))
    has_exact_lines = has_exact_lines or "mso-line-height-rule" in values
    for name, value in values.items():
        yield Style(node, name, value, has_exact_lines)
    for child in node.children:
        if isinstance(child, Element):
            yield from _read_styles(child, has_exact_lines=has_exact_lines)


def find_loss(style: Style, client: Client) -> Loss | None:
    """Return what `client` does not show of one declaration, or None."""
    if style.value in _EMPTY:
        return None
    if client in (Client.OUTLOOK_WINDOWS, Client.YAHOO) and _IN_REM.search(style.value):
        return Loss(client, style, "the size is another one", "Write sizes in px.")
    if _SEE_THROUGH.search(style.value) and get_support(client, "css-rgba") is Support.NO:
        return Loss(client, style, "the colour is missing", "Write a colour that is not see-through.")
    feature = get_feature(style.name)
    support = get_support(client, feature)
    if support is Support.NO and (client, feature) not in _REPLACED:
        return Loss(client, style, _EFFECTS.get(style.name, "it is not shown"), "")
    rule = _PARTS.get(feature) if client is Client.OUTLOOK_WINDOWS and support is Support.PARTLY else None
    if rule is not None and rule.holds(style):
        return Loss(client, style, rule.effect, rule.remedy, rule.is_dropped)
    return None
