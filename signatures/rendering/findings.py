"""Findings: errors, warnings and notes about a template, with their place in its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from signatures.rendering.errors import Locator, TemplateError
from signatures.rendering.markup import Kind, read_pieces
from signatures.rendering.tree import Element

from .placeholders import LIQUID_PIECE
from .sentinels import SLOT_OPEN


class Severity(StrEnum):
    """ERROR: it cannot be published, or not even saved. WARNING: something is lost or hard to read.

    NOTE: some mail clients differ.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One error, warning or note about a template.

    code: its kind, such as alt-missing. sentence: what was found. remedy: what to do, or "".
    line, column: count from 1; None where the place in the source is not known. block, path: the block on that line,
    in words and as its path; "" without one. people: how many it touches, where they were counted.
    field: the merge field that they have no value for, or "".
    """

    severity: Severity
    code: str
    sentence: str
    remedy: str = ""
    line: int | None = None
    column: int | None = None
    block: str = ""
    path: str = ""
    people: int | None = None
    field: str = ""

    @property
    def text(self) -> str:
        """The sentence with its remedy."""
        return f"{self.sentence} {self.remedy}".strip()

    def at(self, place: tuple[int, int] | None) -> Finding:
        """Return the same finding at (line, column), or unchanged where the place is not known."""
        return self if place is None else replace(self, line=place[0], column=place[1])

    @classmethod
    def from_error(cls, error: TemplateError) -> Finding:
        """Return why a template cannot be saved."""
        return cls(Severity.ERROR, "source", error.message, "", error.line, error.column)


def warn(code: str, sentence: str, remedy: str = "") -> Finding:
    """Return a warning without a place."""
    return Finding(Severity.WARNING, code, sentence, remedy)


def make_error(code: str, sentence: str, remedy: str = "") -> Finding:
    """Return an error without a place, of a template that can be saved and not published."""
    return Finding(Severity.ERROR, code, sentence, remedy)


def drop_repeated(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the first finding of each sentence."""
    seen: set[str] = set()
    for finding in findings:
        if finding.sentence not in seen:
            seen.add(finding.sentence)
            yield finding


class TagPlaces:
    """Finds the place in the source for an element of the markup that was made from it.

    Elements are matched by their number among those of one tag, and only where the source has as many of them:
    a part that was removed, or that a condition leaves out, would shift the rest.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = Locator(source)
        self._starts: dict[str, list[int]] = {}
        # Keeps the length, so that positions stay right.
        markup = LIQUID_PIECE.sub(lambda found: SLOT_OPEN * len(found[0]), source)
        for piece in read_pieces(markup):
            if piece.kind is Kind.START:
                self._starts.setdefault(piece.name, []).append(piece.start)

    def find_tag(self, tag: str, number: int, total: int) -> tuple[int, int] | None:
        """Return (line, column) of the source's tag of that number, from 0, among `total`."""
        starts = self._starts.get(tag, [])
        return self._at.place(starts[number]) if len(starts) == total > number else None

    def find_elements(self, root: Element) -> dict[Element, tuple[int, int]]:
        """Return (line, column) for each element below `root` whose place in the source is known."""
        elements = [node for node in root.walk() if isinstance(node, Element)]
        totals = Counter(element.tag for element in elements)
        seen: Counter[str] = Counter()
        found = {}
        for element in elements:
            place = self.find_tag(element.tag, seen[element.tag], totals[element.tag])
            seen[element.tag] += 1
            if place is not None:
                found[element] = place
        return found

    def find_text(self, text: str) -> tuple[int, int] | None:
        """Return (line, column) of the first occurrence of `text` in the source."""
        position = self._source.find(text)
        return None if position < 0 else self._at.place(position)
