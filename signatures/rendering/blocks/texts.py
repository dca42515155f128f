"""Texts: what people write into a setting, with fields, bold words and links, and its markup.

Fields           {{ sender.title }}, and with a filter {{ sender.title | upcase }}
Bold words       **Acme**
Links            [Book a time](https://…), (mailto:…), (tel:…) or ({{ sender.calendar_url }})
A line's end     a new line
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from signatures.rendering.fields import BUILT_IN, Trust, get_custom_trust
from signatures.rendering.liquid import escape_value

from .links import Refused, clean_link, write_link

_FILTER = r"\s{0,9}\|\s{0,9}(?:capitalize|downcase|strip|upcase|default:\s{0,9}'[^'{}%<>&\"\\\n]{0,80}+')"
OUTPUT = re.compile(
    rf"\{{\{{\s{{0,9}}(?P<field>[a-z_]{{1,40}}+\.[a-z0-9_]{{1,60}}+)(?:{_FILTER}){{0,5}}\s{{0,9}}\}}\}}"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,500}+)\*\*")
_LINK = re.compile(r"\[([^\[\]\n]{1,500}+)\]\((\{\{[^{}()\n]{1,80}+\}\}|[^{}()\s]{1,2000}+)\)")
# Joiners and the two plain direction marks: Persian, Hindi and Hebrew need them.
_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d\u200e\u200f")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def clean_text(value: str, *, is_long: bool = False) -> str:
    """Return `value` without blanks at the ends of its lines; on one line unless `is_long`.

    Raises: Refused for braces that are no output of a known field, and for characters nobody sees.
    """
    lines = value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
    value = ("\n" if is_long else " ").join(line.strip() for line in lines).strip()
    require_visible(value.replace("\n", ""))
    for found in OUTPUT.finditer(value):
        _require_field(found["field"])
    rest = OUTPUT.sub("", value)
    if "{%" in rest:
        raise Refused("Conditions cannot stand in a text. Use “Show only if”.")
    if "{" in rest or "}" in rest:
        raise Refused("Braces are for fields alone, as in {{ sender.title }}.")
    if is_long:
        for link in _LINK.finditer(value):
            clean_link(_target(link[2]), is_required=True)
    return value


def require_visible(value: str) -> None:
    """Raise Refused where `value` holds a character that nobody sees or that turns the direction of others."""
    for character in value:
        is_unseen = unicodedata.category(character) in _UNSEEN_CATEGORIES
        if is_unseen and character not in _KEPT_FORMAT_CHARACTERS:
            raise Refused(f"Take out the invisible character U+{ord(character):04X}.")


def write_plain(text: str) -> str:
    """Return the markup of a text of one line: its words escaped, its fields as they are."""
    return "".join(_write_outputs(text))


def write_rich(text: str, link_style: str = "") -> str:
    """Return the markup of a text with bold words, links and lines. link_style: of the links in it."""
    return "<br>".join(_write_links(line, link_style) for line in text.split("\n"))


def _write_links(line: str, link_style: str) -> str:
    style = f' style="{link_style}"' if link_style else ""
    parts: list[str] = []
    at = 0
    for found in _LINK.finditer(line):
        href = write_link(clean_link(_target(found[2]), is_required=True))
        parts += _write_bold(line[at : found.start()]), f'<a href="{href}"{style}>{_write_bold(found[1])}</a>'
        at = found.end()
    return "".join((*parts, _write_bold(line[at:])))


def _write_bold(text: str) -> str:
    pieces = _BOLD.split(text)
    return "".join(
        f"<b>{write_plain(piece)}</b>" if number % 2 else write_plain(piece)
        for number, piece in enumerate(pieces)
    )


def _write_outputs(text: str) -> Iterator[str]:
    at = 0
    for found in OUTPUT.finditer(text):
        yield escape_value(text[at : found.start()])
        yield found[0]
        at = found.end()
    yield escape_value(text[at:])


def _target(written: str) -> str:
    """Return what a link's brackets say: a field's name without its braces, or an address."""
    return written.strip("{} ")


def _require_field(name: str) -> None:
    if get_custom_trust(name) is not None:
        return  # which of them a domain has is checked when the source is compiled
    field = BUILT_IN.by_name.get(name)
    if field is None:
        near = BUILT_IN.nearest(name)
        raise Refused(f"There is no field {name}.{f' Did you mean {near}?' if near else ''}")
    if field.trust is Trust.PLACE:
        raise Refused(f"{name} cannot stand in a text. Add a banner block.")
