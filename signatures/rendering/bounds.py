"""Bounds: limits of a template's source, counted before any parser reads it.

A parser's time grows with more than the length of what it reads: with depth, with the number of attributes
of one tag, with rules times elements. Each is counted here in one pass, so that any 100,000 characters
are checked, or refused, within a second. No signature that people send comes near any of the limits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from signatures.rendering.errors import Locator, TemplateError
from signatures.rendering.markup import Kind, Piece

from .sentinels import PRIVATE

MAX_SOURCE_CHARACTERS = 100_000
MAX_LIQUID = 400
MAX_LIQUID_CHARACTERS = 1_000
MAX_LIQUID_BLANKS = 100
MAX_LIQUID_WORDS = 30
MAX_WORDS = 2_000
MAX_LIQUID_BRACKETS = 10
MAX_TAGS = 6_000
MAX_CELL_TAGS = 2_000
MAX_DEPTH = 100
MAX_FORMATTING = 30
MAX_CROSSED = 20
MAX_ATTRIBUTES = 60
MAX_DECLARATIONS = 1_500
MAX_CSS_DEPTH = 20
MAX_CSS_CHARACTERS = 20_000_000
MAX_CSS_STEPS = 100_000_000
MAX_STYLE_CHARACTERS = 60_000
MAX_DRAFT_CHARACTERS = 250_000

VOID_TAGS = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_LIQUID_START = re.compile(r"\{[{%]")
_TAG_NAME = re.compile(r"\{%-?\s*+([^\s%-]*+)")
_COMMENT_END = re.compile(r"\{%-?\s*+endcomment\s*+-?%\}")
_BLANK_RUN = re.compile(rf"\s{{{MAX_LIQUID_BLANKS + 1}}}")
_WORD = re.compile(r"\b(?:and|or|not|contains)\b|\|")
_BRACKET = re.compile(r"[(\[]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]++)|([0-9]++))")
_CELL_TAGS = frozenset({"td", "th"})
# Closed by the next of their kind or by their parent, so that many may be open one after the other.
_CLOSE_THEMSELVES = frozenset({"p", "li", "td", "th", "tr", "tbody", "thead", "tfoot", "dd", "dt", "option"})
# A parser opens these again in every following block, until their own end tag.
_FORMATTING = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_CSS_TOKEN = re.compile(
    r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|\\.|[(\[{]|[)\]}]", re.DOTALL
)
_SERIALIZED_TAG = re.compile(r"<(?!!--)(/?)([a-z0-9]+)")
_STYLE = re.compile(r' style="([^"]*+)"')
_PROPERTY = re.compile(r"(?<![\w-])([\w-]++)\s*+:")


def require_characters(source: str, at: Locator) -> None:
    """Raise TemplateError for a source that is too long or contains, or refers to, one of our private characters."""
    if len(source) > MAX_SOURCE_CHARACTERS:
        raise TemplateError(f"The template is longer than {MAX_SOURCE_CHARACTERS:,} characters.")
    found = PRIVATE.search(source)
    if found:
        raise at.error(f"The character U+{ord(found[0]):04X} cannot be used in a template.", found.start())
    for reference in _REFERENCE.finditer(source):
        digits, base = (reference[1], 16) if reference[1] else (reference[2], 10)
        digits = digits.lstrip("0")
        # The highest character has seven decimal digits.
        code = int(digits, base) if 0 < len(digits) <= 7 else 0
        if not 0 < code <= 0x10FFFF or PRIVATE.match(chr(code)):
            written = reference[0][:20]
            raise at.error(
                f"The character written {written}; cannot be used in a template.", reference.start()
            )


def read_liquid(source: str, at: Locator) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, name) of each piece of Liquid; the name of an output is "".

    A comment is one piece, named comment, with its content.
    Raises: TemplateError where one has no end, is too long or contains too much.
    """
    position = count = words = 0
    while opened := _LIQUID_START.search(source, position):
        start = opened.start()
        position = _find_end(source, "}}" if opened[0] == "{{" else "%}", start, at)
        piece = source[start:position]
        named = _TAG_NAME.match(piece)
        name = named[1] if named else ""
        if name == "comment":
            position = _find_comment_end(source, position, start, at)
        else:
            words += _count_words(piece, start, at)
        count += 1
        if count > MAX_LIQUID or words > MAX_WORDS:
            raise at.error(
                f"A template has at most {MAX_LIQUID} fields, conditions and comments, and {MAX_WORDS:,} filters.",
                start,
            )
        yield start, position, name


def _count_words(piece: str, start: int, at: Locator) -> int:
    """Return how many filters and operators like `and` are in one piece of Liquid."""
    if len(piece) > MAX_LIQUID_CHARACTERS:
        raise at.error(f"A field or condition has at most {MAX_LIQUID_CHARACTERS:,} characters.", start)
    if _BLANK_RUN.search(piece):
        raise at.error("A field or condition holds too many blanks in a row; take them out.", start)
    words = len(_WORD.findall(piece))
    if words > MAX_LIQUID_WORDS or len(_BRACKET.findall(piece)) > MAX_LIQUID_BRACKETS:
        raise at.error("A field or condition asks too much at once; split it.", start)
    return words


def _find_end(source: str, closing: str, start: int, at: Locator) -> int:
    end = source.find(closing, start + 2)
    if end < 0:
        raise at.error(f"Expected '{closing}', found end of file.", start)
    return end + 2


def _find_comment_end(source: str, position: int, start: int, at: Locator) -> int:
    found = _COMMENT_END.search(source, position)
    if found is None:
        raise at.error("This comment has no {% endcomment %}.", start)
    return found.end()


class MarkupBounds:
    """Counts a source's tags as they are read. Raises TemplateError at the first that is too many."""

    def __init__(self, at: Locator) -> None:
        self._at = at
        self._counts: Counter[str] = Counter()
        self._open: list[str] = []
        self._crossed = 0

    def count(self, piece: Piece) -> None:
        """Count the next tag; comments are not counted."""
        if piece.kind is Kind.COMMENT:
            return
        self._counts["tags"] += 1
        self._counts["cells"] += piece.name in _CELL_TAGS
        if self._counts["tags"] > MAX_TAGS or self._counts["cells"] > MAX_CELL_TAGS:
            raise self._at.error(
                f"A template has at most {MAX_TAGS:,} tags, {MAX_CELL_TAGS:,} of them of table cells.",
                piece.start,
            )
        if piece.kind is Kind.END:
            self._close(piece.name)
        else:
            self._count_attributes(piece)
            if piece.name not in VOID_TAGS and piece.inside is None:
                self._open_element(piece.name)
        if len(self._open) > MAX_DEPTH or sum(name in _FORMATTING for name in self._open) > MAX_FORMATTING:
            raise _too_deep(self._at, piece.start)
        if self._crossed > MAX_CROSSED:
            raise self._at.error(
                "Too many elements end inside others: close each one before what holds it.", piece.start
            )

    def _count_attributes(self, piece: Piece) -> None:
        for number, found in enumerate(piece.find_attributes(), start=1):
            if number > MAX_ATTRIBUTES:
                raise self._at.error(f"A tag has at most {MAX_ATTRIBUTES} attributes.", piece.start)
            if found["name"].lower() == "style":
                self._counts["declarations"] += found[0].count(";") + 1
        if self._counts["declarations"] > MAX_DECLARATIONS:
            raise self._at.error(
                f"The style attributes of a template hold at most {MAX_DECLARATIONS:,} declarations.",
                piece.start,
            )

    def _open_element(self, name: str) -> None:
        if name in _CLOSE_THEMSELVES:
            for above in range(len(self._open) - 1, -1, -1):
                if self._open[above] == name:
                    self._pop_to(above)
                    break
                if self._open[above] not in _CLOSE_THEMSELVES | _FORMATTING:
                    break
        self._open.append(name)

    def _close(self, name: str) -> None:
        if name not in self._open:
            return
        place = len(self._open) - 1 - self._open[::-1].index(name)
        if name in _FORMATTING and not _CLOSE_THEMSELVES.issuperset(self._open[place + 1 :]):
            self._crossed += 1
        self._pop_to(place)

    def _pop_to(self, place: int) -> None:
        self._crossed += sum(name in _FORMATTING for name in self._open[place + 1 :])
        del self._open[place:]


def require_css(css: str, tag_count: int) -> None:
    """Raise TemplateError where moving the rules of `css` into `tag_count` tags would take too long."""
    depth = 0
    for found in _CSS_TOKEN.finditer(css):
        depth += (found[0] in ("(", "[", "{")) - (found[0] in (")", "]", "}"))
        if depth > MAX_CSS_DEPTH:
            raise TemplateError("The brackets in <style> are nested too deeply.")
        depth = max(depth, 0)
    names = _PROPERTY.findall(css)
    # Each declaration may be put into each tag, and is compared there with every other property.
    steps = tag_count * len(names) * len(set(names))
    if steps > MAX_CSS_STEPS or tag_count * len(css) > MAX_CSS_CHARACTERS:
        raise TemplateError("There are too many rules in <style> for so many elements. Take out unused ones.")


def require_draft(html: str) -> None:
    """Raise TemplateError where the parsed source is too deep or too large to go on with.

    html: serialized, so that every tag in it is one.
    """
    if len(html) > MAX_DRAFT_CHARACTERS:
        raise TemplateError(
            "The template grows too large once its elements are closed and its styles inline."
        )
    if sum(map(len, _STYLE.findall(html))) > MAX_STYLE_CHARACTERS:
        raise TemplateError(f"The styles hold more than {MAX_STYLE_CHARACTERS:,} characters. Take some out.")
    depth = 0
    for found in _SERIALIZED_TAG.finditer(html):
        if found[2] not in VOID_TAGS:
            depth += -1 if found[1] else 1
        if depth > MAX_DEPTH:
            raise TemplateError(f"Elements are nested more than {MAX_DEPTH} levels deep. Take some out.")


def _too_deep(at: Locator, position: int) -> TemplateError:
    return at.error(
        f"Elements are nested more than {MAX_DEPTH} levels deep, or {MAX_FORMATTING} of <b>, <font> and "
        "their like. Take some out, or close them.",
        position,
    )
