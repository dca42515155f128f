"""Clocks: describes how far an identity provider's clock is from ours."""

from __future__ import annotations

from datetime import timedelta

SKEW_SECONDS = 60.0  # how far the two clocks may be apart where an instant is compared


def describe_difference(seconds: float) -> str:
    """Return "2 minutes", "45 seconds", "3 hours" or "8 years" for a span, whatever its sign."""
    left = abs(seconds)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if left >= 2 * length or (unit == "minute" and left >= length):
            return _count(left / length, unit)
    return _count(left, "second")


def describe_clock(seconds: float) -> str:
    """Return a sentence about their clock. seconds: theirs minus ours."""
    side = "ahead of" if seconds > 0 else "behind"
    return f"the clock there is {describe_difference(seconds)} {side} the portal’s"


def _count(number: float, unit: str) -> str:
    rounded = round(min(number, timedelta.max.days))
    return f"{rounded:,} {unit}{'' if rounded == 1 else 's'}"
