"""Markup: splits HTML source into tags, comments and text as an HTML parser does.

Tags end where the HTML standard says, quotes or not, so that what is replaced or counted here is what the
sanitizer reads later. Every pattern is linear: possessive, and each character belongs to one piece only.

Source: https://html.spec.whatwg.org/multipage/parsing.html#tokenization, read 2026-07-01.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import unescape

_BLANK = r"[\t\n\f\r ]"
ATTRIBUTE = re.compile(
    rf"(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rf"(?:{_BLANK}*+={_BLANK}*+"
    r"(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>))"
    rf"|(?!{_BLANK}*+=))"
)
_ATTRIBUTE_UNNAMED = re.sub(r"\?P<\w+>", "?:", ATTRIBUTE.pattern)
_TAG = re.compile(rf"</?(?P<name>[a-zA-Z][^\t\n\f\r />]*+)(?:[\t\n\f\r /]++|{_ATTRIBUTE_UNNAMED})*+>")
# A comment; what a parser reads as one (<!doctype>, <![if]>, <?xml>, </ >); the start of a tag.
_PIECE = re.compile(
    r"(?P<comment><!--(?:-?>|.*?(?:--!?>|\Z)))|(?P<odd><(?:[!?]|/(?![a-zA-Z]))[^>]*+>?)|</?(?=[a-zA-Z])",
    re.DOTALL,
)
# Their content is not markup, up to their own end tag.
_RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE)
    for name in (
        "style",
        "script",
        "textarea",
        "title",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "noscript",
    )
}


class Kind(StrEnum):
    """The kind of a piece of markup. COMMENT: also what a parser reads as one."""

    COMMENT = "comment"
    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Piece:
    """A tag or comment of a source.

    end: where it ends; for <style> and its like, where their end tag does. name: of the tag, in lower case.
    inside: the text between <style>, or its like, and its end tag; None for every other piece.
    """

    kind: Kind
    start: int
    end: int
    text: str
    name: str = ""
    inside: str | None = None

    def find_attributes(self) -> Iterator[re.Match[str]]:
        """Yield a match of ATTRIBUTE for each attribute of the tag."""
        return ATTRIBUTE.finditer(self.text, self.attributes_start, len(self.text) - 1)

    @property
    def attributes_start(self) -> int:
        """The position in the tag's text where its attributes begin."""
        return len(self.name) + (2 if self.kind is Kind.END else 1)

    def get_attributes(self) -> list[tuple[str, str]]:
        """Return (name in lower case, value with its character references read) for each attribute."""
        found = (
            (match["name"], match["double"] or match["single"] or match["bare"])
            for match in self.find_attributes()
        )
        return [(name.lower(), unescape(value or "")) for name, value in found]


class Unclosed(ValueError):
    """A tag or <style> at `position` has no end, so a parser would drop everything after it."""

    def __init__(self, position: int, name: str) -> None:
        super().__init__(name)
        self.position = position
        self.name = name


def read_pieces(source: str) -> Iterator[Piece]:
    """Yield the tags and comments of `source` in order; what is between them is text.

    Raises: Unclosed
    """
    at = 0
    while found := _PIECE.search(source, at):
        at = found.end()
        if found["comment"] is not None or found["odd"] is not None:
            yield Piece(Kind.COMMENT, found.start(), at, found[0])
            continue
        tag = _TAG.match(source, found.start())
        if tag is None:
            raise Unclosed(found.start(), f"<{source[at : at + 20].split()[0]}")
        at = tag.end()
        name = tag["name"].lower()
        if tag[0].startswith("</"):
            yield Piece(Kind.END, tag.start(), at, tag[0], name)
            continue
        inside = None
        if name in _RAW_TEXT:
            closing = _RAW_TEXT[name].search(source, at)
            end = source.find(">", closing.end()) if closing else -1
            if closing is None or end < 0:
                raise Unclosed(found.start(), f"<{name}>")
            inside, at = source[at : closing.start()], end + 1
        yield Piece(Kind.START, tag.start(), at, tag[0], name, inside)
