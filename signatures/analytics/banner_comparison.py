"""Banner comparison: sentences about which of a campaign's banners has the higher click-through rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .results import Line
from .significance import Comparison, Rate, compare


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about two banners. is_clear: the difference is significant."""

    sentence: str
    is_clear: bool


def compare_banners(lines: Sequence[Line]) -> list[Finding]:
    """Compare the leading banner with each other one; nothing where there is only one."""
    rates = [
        Rate(line.name, line.figures.clicks, line.figures.impressions)
        for line in lines
        if line.id and not (line.note and line.figures.is_empty)
    ]
    if len(rates) < 2:
        return []
    leader = max(rates, key=lambda rate: rate.share)
    pairs = [one for one in compare(rates) if leader in (one.better, one.worse)]
    return [Finding(_say(pair), pair.is_clear) for pair in pairs]


def _say(pair: Comparison) -> str:
    better, worse = f"“{pair.better.name}”", f"“{pair.worse.name}”"
    if not pair.better.trials or not pair.worse.trials:
        unseen = worse if pair.better.trials else better
        return f"No significant difference yet: {unseen} has no impressions."
    if pair.is_clear:
        return (
            f"{better} has a higher click-through rate than {worse}: {say_share(pair.better.share)} "
            f"against {say_share(pair.worse.share)}. The difference is between {say_points(pair.interval.low)} "
            f"and {say_points(pair.interval.high)} percentage points (95 % confidence)."
        )
    if not pair.tells:
        return f"No significant difference yet: neither {better} nor {worse} was clicked."
    if pair.needed:
        return (
            f"No significant difference yet between {better} and {worse}: about {round_off(pair.needed):,} more "
            f"impressions are needed to detect a difference of {say_points(pair.tells)} percentage points."
        )
    return (
        f"No significant difference between {better} and {worse}. The impressions are enough to detect one of "
        f"{say_points(pair.tells)} percentage points with 80 % power."
    )


def say_share(share: float) -> str:
    """Return a share in percent, with two decimal places below 1 % and one above."""
    return f"{_round(share)} %"


def say_points(difference: float) -> str:
    """Return a difference of shares in percentage points."""
    return _round(difference)


def _round(share: float) -> str:
    percent = share * 100
    return f"{percent:.2f}" if 0 < abs(percent) < 1 else f"{percent:.1f}"


def round_off(number: int) -> int:
    """Return the number rounded up to two significant figures, as it is an estimate."""
    scale = 10 ** max(0, len(str(number)) - 2)
    return -(-number // scale) * scale
