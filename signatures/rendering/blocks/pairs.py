"""Pairs of markers: which block of a source stands in which list, and the markup that is its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from .markers import LIST, Marker, find_markers


class Unfit(Exception):
    """The source is not made of blocks, from `position` on."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


@dataclass
class Pair:
    """The two markers of a block or list, and the pairs between them."""

    marker: Marker
    end: Marker
    children: list[Pair] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.marker.name

    @property
    def lists(self) -> list[Pair]:
        return [child for child in self.children if child.name == LIST]


class MarkedSource:
    """A source and its markers. text: the source. pairs: the outermost ones."""

    def __init__(self, text: str) -> None:
        """Raises: TemplateError, for Liquid or a tag without an end; Unfit, for markers that do not match."""
        self.text = text
        self._markers = list(find_markers(text))
        self._starts = [marker.start for marker in self._markers]
        self.pairs = _match(self._markers)

    def get_own(self, pair: Pair) -> str:
        """Return the markup between two markers, without what stands in lists of blocks."""
        cuts = [pair.marker.end, *(at for one in pair.lists for at in (one.marker.end, one.end.start))]
        return "".join(
            self.text[start:end] for start, end in zip(cuts[::2], [*cuts[1::2], pair.end.start], strict=True)
        )

    def get_unmarked(self, start: int, end: int) -> str:
        """Return the source from `start` to `end` without the markers in it."""
        inside = self._markers[bisect_left(self._starts, start) : bisect_left(self._starts, end)]
        cuts = [start, *(at for marker in inside for at in (marker.start, marker.end)), end]
        return "".join(self.text[one:other] for one, other in list(pairwise(cuts))[::2])

    def find_pieces(self, pair: Pair) -> Iterator[tuple[int, int, Pair | None]]:
        """Yield start, end and pair of what is in a list; no pair for markup between blocks."""
        at = pair.marker.end
        for child in pair.children:
            if self.text[at : child.marker.start].strip():
                yield at, child.marker.start, None
            yield child.marker.start, child.end.end, child
            at = child.end.end
        if self.text[at : pair.end.start].strip():
            yield at, pair.end.start, None


def _match(markers: list[Marker]) -> list[Pair]:
    """Return the outermost pairs. Raises: Unfit"""
    outer: list[Pair] = []
    opened: list[Pair] = []
    for marker in markers:
        if not marker.is_end:
            pair = Pair(marker, marker)
            (opened[-1].children if opened else outer).append(pair)
            opened.append(pair)
        elif not opened or opened[-1].name != marker.name:
            raise Unfit(marker.start, f"The comment <!-- /{marker.name} --> has no beginning.")
        else:
            opened.pop().end = marker
    if opened:
        raise Unfit(opened[-1].marker.start, f"The comment <!-- {opened[-1].name} … --> has no end.")
    return outer
