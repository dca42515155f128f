"""Judgement: whether memory, open files and tables stayed flat: the last third of the samples beside the middle one.

The first third is left out: processes load what they need, and fill caches that have a limit.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .samples import GROUPS, GROWING, Sample

MEMORY_SHARE, MEMORY_MB = 0.05, 8.0
FILES_SHARE, FILES = 0.1, 8.0
ROWS_SHARE, ROWS = 0.05, 20.0
"""How much higher the last third's median may be: this share of the middle third's, or so much, whichever is more."""


@dataclass(frozen=True)
class Verdict:
    """Medians of three thirds; allowed: the most that the last may be, None where growth is by design."""

    what: str
    first: float
    middle: float
    last: float
    allowed: float | None

    @property
    def is_flat(self) -> bool:
        return self.allowed is None or self.last <= self.allowed


def judge(samples: Sequence[Sample]) -> list[Verdict]:
    """Return a verdict for each process group's memory and files, and for each table that has rows."""
    verdicts = []
    for group in GROUPS:
        verdicts.append(
            _judge(
                samples,
                f"MB of the {group}",
                lambda one, of=group: one.sum_memory(of),
                MEMORY_SHARE,
                MEMORY_MB,
            )
        )
        verdicts.append(
            _judge(
                samples,
                f"open files of the {group}",
                lambda one, of=group: one.sum_files(of),
                FILES_SHARE,
                FILES,
            )
        )
    for name in sorted(samples[-1].rows):
        grows = name in GROWING
        verdict = _judge(samples, name, lambda one, of=name: one.rows[of], ROWS_SHARE, ROWS, grows=grows)
        if verdict.first or verdict.middle or verdict.last:
            verdicts.append(verdict)
    return verdicts


def _judge(
    samples: Sequence[Sample],
    what: str,
    get: Callable[[Sample], float],
    share: float,
    number: float,
    *,
    grows: bool = False,
) -> Verdict:
    size = max(1, len(samples) // 3)
    thirds = samples[:size], samples[size:-size] or samples[-size:], samples[-size:]
    first, middle, last = (statistics.median(get(one) for one in third) for third in thirds)
    return Verdict(what, first, middle, last, None if grows else middle + max(share * middle, number))
