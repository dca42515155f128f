"""Significance: confidence intervals of click-through rates, and the impressions needed to detect a difference.

Pure arithmetic. docs/counting.md has its known limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

CONFIDENCE = 0.95
POWER = 0.8
# A difference below this share of the rate itself is not worth waiting for.
WORTH_TELLING = 0.2
MOST_NEEDED = 10_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in shares of 1."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Rate:
    """Clicks of impressions. An image that a proxy cached may be clicked without another impression:
    where clicks exceed impressions, the rate is 1.
    """

    name: str
    clicks: int
    impressions: int

    @property
    def trials(self) -> int:
        return max(self.impressions, self.clicks)

    @property
    def share(self) -> float:
        return self.clicks / self.trials if self.trials else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.clicks, self.trials)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two banners compared. difference: better's rate less worse's, with its interval.

    needed: how many more impressions, of both together, are needed to detect a difference of `tells`; 0 where
    there are enough. is_clear: the interval does not contain zero.
    """

    better: Rate
    worse: Rate
    difference: float
    interval: Interval
    tells: float
    needed: int

    @property
    def is_clear(self) -> bool:
        return not self.interval.holds_zero


def wilson(successes: int, trials: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Return the score interval of a proportion; 0 to 1 without trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927;
    method 3 of R. G. Newcombe, "Two-sided confidence intervals for the single proportion", 1998.
    """
    if not trials:
        return Interval(0.0, 1.0)
    z = _z(confidence)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == trials else min(1.0, (centre + spread) / scale)
    return Interval(low, high)


def newcombe(first: tuple[int, int], second: tuple[int, int], *, confidence: float = CONFIDENCE) -> Interval:
    """Return the interval of the first proportion less the second, each given as (successes, trials).

    Source: method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
    proportions", 1998: the two score intervals combined.
    """
    if not first[1] or not second[1]:
        return Interval(-1.0, 1.0)
    a, b = first[0] / first[1], second[0] / second[1]
    of_a, of_b = wilson(*first, confidence=confidence), wilson(*second, confidence=confidence)
    low = a - b - math.hypot(a - of_a.low, of_b.high - b)
    high = a - b + math.hypot(of_a.high - a, b - of_b.low)
    return Interval(max(-1.0, low), min(1.0, high))


def count_needed(first: float, second: float, *, confidence: float = CONFIDENCE, power: float = POWER) -> int:
    """Return how many trials each of two shares needs so that their difference is detected with probability `power`.

    Source: J. L. Fleiss, "Statistical Methods for Rates and Proportions", without the correction for
    continuity. Never more than MOST_NEEDED.
    """
    if first == second:
        return MOST_NEEDED
    middle = (first + second) / 2
    by_chance = _z(confidence) * math.sqrt(2 * middle * (1 - middle))
    by_truth = NormalDist().inv_cdf(power) * math.sqrt(first * (1 - first) + second * (1 - second))
    return min(MOST_NEEDED, math.ceil(((by_chance + by_truth) / (first - second)) ** 2))


def compare(rates: Sequence[Rate], *, confidence: float = CONFIDENCE) -> list[Comparison]:
    """Return every pair, the one with the higher rate as `better`; pairs whose difference is clear come first.

    With more than two, each pair gets a stricter confidence, so that all intervals together have
    the requested one (Bonferroni).
    """
    pairs = list(combinations(rates, 2))
    strict = 1 - (1 - confidence) / len(pairs) if pairs else confidence
    compared = [_compare(*pair, confidence=strict) for pair in pairs]
    return sorted(compared, key=lambda one: (not one.is_clear, -one.difference))


def _compare(one: Rate, other: Rate, *, confidence: float) -> Comparison:
    better, worse = (other, one) if other.share > one.share else (one, other)
    interval = newcombe((better.clicks, better.trials), (worse.clicks, worse.trials), confidence=confidence)
    trials = better.trials + worse.trials
    together = (better.clicks + worse.clicks) / trials if trials else 0.0
    tells = max(better.share - worse.share, WORTH_TELLING * together)
    needed = 0
    if interval.holds_zero and tells:
        low, high = _spread(together, tells)
        each = count_needed(low, high, confidence=confidence)
        needed = sum(max(0, each - rate.trials) for rate in (better, worse))
    return Comparison(better, worse, better.share - worse.share, interval, tells, needed)


def _spread(middle: float, difference: float) -> tuple[float, float]:
    """Return two shares that far apart around the middle, within 0 and 1."""
    low = min(max(0.0, middle - difference / 2), 1 - difference)
    return low, low + difference


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(1 - (1 - confidence) / 2)
