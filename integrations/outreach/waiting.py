"""How long to wait, as Outreach's headers tell it in their several spellings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DEFAULT_WAIT_SECONDS = 60.0
SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 3600.0

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)
_EPOCH_FROM = 1_000_000_000  # September 2001; as a number of seconds to wait it would be 31 years


def seconds_until(value: str | None, *, now: float) -> float | None:
    """Return the seconds from `now` (epoch) to what a header names, negative if past; None if unreadable.

    Read as: seconds to wait, epoch seconds, an HTTP date, or an ISO 8601 instant
    (UTC where it names no zone).
    Outreach documents Retry-After as an alias of X-RateLimit-Reset, an epoch, and uses an ISO instant on 503.
    """
    text = (value or "").strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number - now if number >= _EPOCH_FROM else number
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return zoned.timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def wait_seconds(headers: Mapping[str, str], *, now: float) -> float:
    """Return how long to wait after a 429, from 1 second to 1 hour; a minute where no header tells."""
    for name in ("Retry-After", "X-RateLimit-Reset"):
        seconds = seconds_until(headers.get(name), now=now)
        if seconds is not None:
            return min(max(seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
    return DEFAULT_WAIT_SECONDS


def allowance(headers: Mapping[str, str], *, now: float) -> tuple[int, int, float | None] | None:
    """Return limit, calls remaining and seconds to the reset, or None where the reply does not say.

    `X-RateLimit-Remaining` may hold two values, "9999, 19988"; the first is the hourly one.
    """
    limit, remaining = _count(headers.get("X-RateLimit-Limit")), _count(headers.get("X-RateLimit-Remaining"))
    if limit is None or remaining is None:
        return None
    resets_in = seconds_until(headers.get("X-RateLimit-Reset"), now=now)
    return limit, remaining, None if resets_in is None else min(max(resets_in, 0.0), LONGEST_WAIT_SECONDS)


def clock_skew(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how many seconds `now` is ahead of the reply's own clock, or None where it does not tell."""
    text = headers.get("Date", "")
    try:
        return now - parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _count(value: str | None) -> int | None:
    first = (value or "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) <= 9 else None
