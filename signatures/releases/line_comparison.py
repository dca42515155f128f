"""Line comparison: two sources line by line, long unchanged runs left out, in bounded time; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from .differences import MOST_LINE_PAIRS, Mark, mark_words, match

CONTEXT = 3  # unchanged lines shown beside a change
MOST_ROWS = 1_000
MOST_CHARACTERS = 200  # of a line whose words are compared
MOST_MARKED = 1_000_000  # summed over all changed lines: characters of one times those of the other


@dataclass(frozen=True, slots=True)
class Row:
    """One line of each source, side by side. old, new: line numbers from 1, None where there is no such line.

    skipped: how many unchanged lines a row stands for that shows none of them.
    """

    old: int | None = None
    new: int | None = None
    before: Sequence[Mark] = ()
    after: Sequence[Mark] = ()
    skipped: int = 0
    is_changed: bool = False


def compare_lines(before: str, after: str) -> list[Row]:
    """Return both sources side by side, at most a thousand rows; none where they are the same."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return []
    rows: list[Row] = []
    opcodes = match(old, new, most_pairs=MOST_LINE_PAIRS)
    marked = 0
    for at, (kind, a, b, c, d) in enumerate(opcodes):
        if kind == "equal":
            head, tail = (0 if at == 0 else CONTEXT), (0 if at == len(opcodes) - 1 else CONTEXT)
            rows += _show_equal(old[a:b], a, c, head, tail)
        else:
            for index, (before_line, after_line) in enumerate(zip_longest(old[a:b], new[c:d])):
                marked += len(before_line or "") * len(after_line or "")
                rows.append(
                    _show_changed(
                        before_line, after_line, a + index, c + index, may_mark=marked < MOST_MARKED
                    )
                )
        if len(rows) > MOST_ROWS:
            break
    return rows[:MOST_ROWS]


def _show_equal(lines: Sequence[str], a: int, c: int, head: int, tail: int) -> Iterator[Row]:
    """Yield the first and last lines of an unchanged run that starts at a and c, and how many are left out."""
    skipped = len(lines) - head - tail
    for at, line in enumerate(lines):
        if skipped <= 1 or at < head or at >= len(lines) - tail:
            yield Row(a + at + 1, c + at + 1, [Mark(line)], [Mark(line)])
        elif at == head:
            yield Row(skipped=skipped)


def _show_changed(before: str | None, after: str | None, a: int, c: int, *, may_mark: bool) -> Row:
    """Return the lines with index a and c side by side; their words are marked where both are there and short."""
    if (
        before is not None
        and after is not None
        and may_mark
        and max(len(before), len(after)) <= MOST_CHARACTERS
    ):
        marks = mark_words(before, after)
    else:
        marks = [Mark(text, change) for text, change in ((before, "del"), (after, "ins")) if text]
    return Row(
        None if before is None else a + 1,
        None if after is None else c + 1,
        [mark for mark in marks if mark.change != "ins"],
        [mark for mark in marks if mark.change != "del"],
        is_changed=True,
    )
