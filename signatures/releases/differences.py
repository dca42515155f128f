"""Differences: what changed between two texts, word by word; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

MOST_WORDS = 2_000  # of one text; longer ones are compared as a whole
MOST_PASSAGES = 12
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


def mark_words(before: str, after: str) -> list[Mark]:
    """Return both texts as one, with removed and added words marked."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if max(len(old), len(new)) > MOST_WORDS:
        return _replace(before, after)
    marks: list[Mark] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
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


def list_line_differences(before: str, after: str) -> list[Difference]:
    """Return each passage of lines that changed, labelled with its first line; past twelve, only how many more."""
    old, new = before.splitlines(), after.splitlines()
    found = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            label = f"Line {c + 1}" if kind != "delete" else f"After line {c}"
            found.append(change_text(label, "\n".join(old[a:b]).strip(), "\n".join(new[c:d]).strip()))
    more = len(found) - MOST_PASSAGES
    if more > 0:
        found[MOST_PASSAGES:] = [
            Difference("More", [Mark(f"{more} further passages. Compare the versions.")])
        ]
    return found


def _replace(before: str, after: str) -> list[Mark]:
    return [Mark(text, change) for text, change in ((before, "del"), (after, "ins")) if text]
