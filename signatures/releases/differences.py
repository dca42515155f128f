"""Differences: what changed between two texts, word by word; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_PARTS = 2_000  # lines or words of one text; longer ones are compared as a whole
MOST_PAIRS = 100_000  # of equal words, one in each text
MOST_LINE_PAIRS = 10_000
MOST_PASSAGES = 12
Opcode = tuple[str, int, int, int, int]
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of text. change: '' for unchanged, 'del' for removed, 'ins' for added."""

    text: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed. label: what it is."""

    label: str
    marks: Sequence[Mark]


def match(old: Sequence[str], new: Sequence[str], *, most_pairs: int) -> list[Opcode]:
    """Return how `old` becomes `new`, as `SequenceMatcher.get_opcodes` does, in bounded time.

    Without its junk heuristic that takes time with the square of what recurs, which somebody can write on purpose. What
    is too long, or has more than `most_pairs` of equal parts, one in each, is one replacement between what both begin
    and end with.
    """
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    inner_old, inner_new = old[start : len(old) - end], new[start : len(new) - end]
    found: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
    if inner_old or inner_new:
        found += [
            (kind, a + start, b + start, c + start, d + start)
            for kind, a, b, c, d in _align(inner_old, inner_new, most_pairs)
        ]
    if end:
        found.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return found


def _align(old: Sequence[str], new: Sequence[str], most_pairs: int) -> list[Opcode]:
    counted = Counter(new)
    pairs = sum(number * counted[line] for line, number in Counter(old).items())
    if max(len(old), len(new)) <= MOST_PARTS and pairs <= most_pairs:
        return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    kind = "replace" if old and new else "delete" if old else "insert"
    return [(kind, 0, len(old), 0, len(new))]


def mark_words(before: str, after: str) -> list[Mark]:
    """Return both texts as one, with removed and added words marked."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    marks: list[Mark] = []
    for kind, a, b, c, d in match(old, new, most_pairs=MOST_PAIRS):
        if kind == "equal":
            marks.append(Mark("".join(old[a:b])))
        else:
            marks += _replace("".join(old[a:b]), "".join(new[c:d]))
    return marks


def replace_value(label: str, before: str, after: str) -> Difference:
    """Return the difference of a value that is chosen as a whole, such as a template's name."""
    return Difference(label, _replace(before, after))


def change_text(label: str, before: str, after: str) -> Difference:
    """Return the difference of a text that somebody wrote."""
    return Difference(label, mark_words(before, after))


def join_differences(label: str, differences: Iterable[Difference]) -> Difference:
    """Return several differences as one, each behind its own label."""
    marks: list[Mark] = []
    for one in differences:
        marks += [Mark(f"; {one.label} " if marks else f"{one.label} "), *one.marks]
    return Difference(label, marks)


def list_line_differences(before: str, after: str) -> list[Difference]:
    """Return each passage of lines that changed, labelled with its first line; past twelve, only how many more."""
    old, new = before.splitlines(), after.splitlines()
    passages = [one for one in match(old, new, most_pairs=MOST_LINE_PAIRS) if one[0] != "equal"]
    found = []
    for kind, a, b, c, d in passages[:MOST_PASSAGES]:
        label = f"Line {c + 1}" if kind != "delete" else f"After line {c}"
        found.append(change_text(label, "\n".join(old[a:b]).strip(), "\n".join(new[c:d]).strip()))
    more = len(passages) - MOST_PASSAGES
    if more > 0:
        found.append(Difference("More", [Mark(f"{more} further passages. Compare the versions.")]))
    return found


def _replace(before: str, after: str) -> list[Mark]:
    return [Mark(text, change) for text, change in ((before, "del"), (after, "ins")) if text]
