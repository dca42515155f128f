"""Judgement: whether memory, open files and tables stayed flat: the last third of the samples beside the middle one.

The first third is left out: processes load what they need, and fill caches that have a limit.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .samples import GROUPS, GROWING, Sample

MEMORY, FILES, ROWS = (0.05, 8.0), (0.15, 8.0), (0.05, 20.0)
"""How much higher the last third's median may be: this share of the middle third's, or so much, whichever is more.

Files: the first two workers that replace others, after 500 tasks each, inherit seven pipes more than those had; later
ones have as many.
"""


@dataclass(frozen=True)
class Verdict:
    """Medians of three thirds. allowed: the most that the last may be, None where growth is by design."""

    what: str
    first: float
    middle: float
    last: float
    highest: float
    allowed: float | None

    @property
    def is_flat(self) -> bool:
        return self.allowed is None or self.last <= self.allowed


def judge(samples: Sequence[Sample]) -> list[Verdict]:
    """Return a verdict for memory and files of each process group, and for each table that had rows."""
    verdicts = []
    for group in GROUPS:
        memory = [one.sum_memory(group) for one in samples]
        files = [one.sum_files(group) for one in samples]
        verdicts.append(_judge(f"MB of the {group}", memory, MEMORY))
        verdicts.append(_judge(f"open files of the {group}", files, FILES))
    for name in sorted(samples[-1].rows):
        rows = [one.rows[name] for one in samples]
        if any(rows):
            verdicts.append(_judge(name, rows, None if name in GROWING else ROWS))
    return verdicts


def _judge(what: str, values: Sequence[float], allowance: tuple[float, float] | None) -> Verdict:
    size = max(1, len(values) // 3)
    thirds = values[:size], values[size:-size] or values[-size:], values[-size:]
    first, middle, last = (statistics.median(third) for third in thirds)
    allowed = None
    if allowance is not None:
        share, number = allowance
        allowed = middle + max(share * middle, number)
    return Verdict(what, first, middle, last, max(values), allowed)
