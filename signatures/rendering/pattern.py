"""Pattern: the markup that senders of one template share; filled with their values, and proven allowed by parts.

A filled signature is what the sanitizer leaves of it if it leaves the fixed markup as it is, leaves each attribute with
a value in it as it is, and no value holds a character that a parser reads as markup. The fixed markup is so sanitized
once, and a company's attributes too. Where one of these does not hold, nothing is proven.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from signatures.rendering.sanitize import sanitize_signature
from signatures.rendering.tree import ATTRIBUTE, PIECES, VOID_TAGS

from .banner_links import PLACEHOLDER
from .sentinels import PRESENT_CLOSE, PRESENT_OPEN

_SLOT = re.compile(f"{PRESENT_OPEN}(\\d+){PRESENT_CLOSE}")
# An escaped value: no quote, no markup, no braces, and nothing that a parser or the sanitizer writes differently.
_INERT = re.compile(
    '(?:[^&<>{}"\r\u00a0\ufeff\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]++|&(?:amp|lt|gt|quot|nbsp);)*+'
)
_TAG_NAME = re.compile(r"<([a-z0-9]+)")
_TAGS_AND_BLANKS = re.compile(r"<[^<>]*+>|\s|&nbsp;")
_ADDRESSES = ("href", "src")
# Letters, digits and dots mean the same to every parser: one such address is kept where any other is.
_PLAIN_MAILTO = re.compile(r"mailto:[A-Za-z0-9._-]{1,64}@[A-Za-z0-9.-]{1,253}")
MAILTO = "mailto:a@a.example"
_ANY_TEXT = ("alt", "title")  # attributes of which the sanitizer keeps every value
_ROW = "<tr><td>x</td></tr>"
_INSIDE = {"table": f"<tbody>{_ROW}</tbody>", "tbody": _ROW, "thead": _ROW, "tfoot": _ROW, "tr": "<td>x</td>"}
_AROUND = {
    "td": "<table><tbody><tr>|</tr></tbody></table>",
    "th": "<table><tbody><tr>|</tr></tbody></table>",
    "tr": "<table><tbody>|</tbody></table>",
    **dict.fromkeys(("tbody", "thead", "tfoot"), "<table>|</table>"),
}


@dataclass(frozen=True, slots=True)
class _Attribute:
    """An attribute with values in it. texts: the fixed text around them; numbers: which values."""

    tag: str
    name: str
    texts: tuple[str, ...]
    numbers: tuple[int, ...]

    def fill(self, values: Sequence[str]) -> str:
        pieces = [self.texts[0]]
        for number, text in zip(self.numbers, self.texts[1:], strict=True):
            pieces += (values[number], text)
        return "".join(pieces)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Markup without its values. texts: the fixed markup around them.

    slots: of each place of a value, the number of the value, and whether it is in an attribute.
    """

    texts: tuple[str, ...]
    slots: tuple[tuple[int, bool], ...]

    def fill(self, values: Sequence[str]) -> str:
        """Return the markup with these escaped values."""
        pieces = [self.texts[0]]
        for (number, is_in_attribute), text in zip(self.slots, self.texts[1:], strict=True):
            value = values[number]
            # A serializer escapes quotes in attributes only; the result must be the same.
            pieces += (value if is_in_attribute else value.replace("&quot;", '"'), text)
        return "".join(pieces)

    @cached_property
    def has_content(self) -> bool:
        """Whether it shows something without any value."""
        return has_content("".join(self.texts))

    def is_proven(self, values: Sequence[str], own: Collection[str]) -> bool:
        """Return whether the sanitizer would leave the filled markup as it is; False where that is not known.

        own: the addresses of the sender's own banner and images, which are checked already.
        """
        attributes = self._attributes
        if attributes is None:
            return False
        if not all(
            _INERT.fullmatch(values[number]) for number, is_in_attribute in self.slots if not is_in_attribute
        ):
            return False
        for one in attributes:
            value = one.fill(values)
            if one.name in _ADDRESSES:
                if value in own:
                    value = PLACEHOLDER
                elif _PLAIN_MAILTO.fullmatch(value):
                    value = MAILTO
            if not _INERT.fullmatch(value):
                return False
            if one.name not in _ANY_TEXT and not _is_kept(one.tag, one.name, value):
                return False
        return True

    @cached_property
    def _attributes(self) -> tuple[_Attribute, ...] | None:
        """The attributes with values in them, if everything else is allowed; None if it is not."""
        marked = self.texts[0] + "".join(
            f"{PRESENT_OPEN}{number}{PRESENT_CLOSE}{text}"
            for (number, _), text in zip(self.slots, self.texts[1:], strict=True)
        )
        found: list[_Attribute] = []
        pieces = PIECES.split(marked)
        for at in range(1, len(pieces), 2):
            tag = pieces[at]
            names = [attribute[1] for attribute in ATTRIBUTE.finditer(tag)]
            if len(names) > len(set(names)):
                return None
            found += _read_attributes(tag)
            pieces[at] = ATTRIBUTE.sub(lambda one: "" if PRESENT_OPEN in one[2] else one[0], tag)
            if PRESENT_OPEN in pieces[at]:
                return None
        fixed = _SLOT.sub("x", "".join(pieces))
        is_allowed = "{" not in fixed and "}" not in fixed and sanitize_signature(fixed) == fixed
        return tuple(found) if is_allowed else None


def has_content(html: str) -> bool:
    """Return whether markup shows anything."""
    return "<img" in html or bool(_TAGS_AND_BLANKS.sub("", html))


def _read_attributes(tag: str) -> list[_Attribute]:
    name = _TAG_NAME.match(tag)
    if name is None:
        return []
    found = []
    for attribute in ATTRIBUTE.finditer(tag):
        texts = _SLOT.split(attribute[2])
        if len(texts) > 1:
            numbers = tuple(map(int, texts[1::2]))
            found.append(_Attribute(name[1], attribute[1], tuple(texts[::2]), numbers))
    return found


@lru_cache(maxsize=8192)
def _is_kept(tag: str, name: str, value: str) -> bool:
    """Return whether the sanitizer leaves an element of this kind with this attribute as it is."""
    before, _, after = _AROUND.get(tag, "|").partition("|")
    end = "" if tag in VOID_TAGS else f"{_INSIDE.get(tag, 'x')}</{tag}>"
    element = f'{before}<{tag} {name}="{value}">{end}{after}'
    return sanitize_signature(element) == element
