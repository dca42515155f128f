"""Rate limits: read how long to wait from Outreach's headers in their several spellings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

DEFAULT_WAIT_SECONDS = 60.0
WRITE_WAIT_SECONDS = (
    5.0  # short: whoever is told to wait again and again also writes less (`integrations.connection.pace`)
)
SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 3600.0
CLOCKS_AGREE_SECONDS = 2.0  # a Date has no parts of a second, and a reply takes its time

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)
_EPOCH_FROM = 1_000_000_000  # September 2001; as a number of seconds to wait it would be 31 years


def seconds_until(value: str | None, *, now: float, date: str | None = None) -> float | None:
    """Return the seconds from `now` (epoch) to what a header names, negative if past; None if unreadable.

    Read as: seconds to wait, epoch seconds, an HTTP date, or an ISO 8601 instant
    (UTC where it names no zone).
    date: the same reply's Date. Where our clock differs from it, an instant is compared with it and not with
        our clock, unless that makes no sense.
    Outreach documents Retry-After as an alias of X-RateLimit-Reset, an epoch, and uses an ISO instant on 503.
    """
    text = (value or "").strip()
    number = float(text) if _NUMBER.fullmatch(text) else None
    if number is not None and number < _EPOCH_FROM:
        return number
    instant = _instant(text) if number is None else number
    if instant is None:
        return None
    theirs = _http_date(date)
    if theirs is None or abs(theirs - now) <= CLOCKS_AGREE_SECONDS:
        return instant - now
    by_theirs = instant - theirs
    return by_theirs if 0 <= by_theirs <= LONGEST_WAIT_SECONDS else instant - now


def _instant(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _http_date(text)


def _http_date(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def wait_seconds(headers: Mapping[str, str], *, now: float, untold: float = DEFAULT_WAIT_SECONDS) -> float:
    """Return how long to wait after a 429, from 1 second to 1 hour; `untold`, a minute, where no header tells."""
    for name in ("Retry-After", "X-RateLimit-Reset"):
        seconds = seconds_until(headers.get(name), now=now, date=headers.get("Date"))
        if seconds is not None:
            return min(max(seconds, SHORTEST_WAIT_SECONDS), LONGEST_WAIT_SECONDS)
    return untold


def say_wait(seconds: float) -> str:
    """Return a wait in words, a little rather than too little: '1 second', '30 seconds', '13 minutes'."""
    count, unit = (math.ceil(seconds), "second") if seconds <= 90 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def allowance(headers: Mapping[str, str], *, now: float) -> tuple[int, int, float | None] | None:
    """Return limit, calls remaining and seconds to the reset, or None where the reply does not say.

    The reset is 0 where it has passed already, and None where the reply does not tell it.
    `X-RateLimit-Remaining` may hold two values, "9999, 19988"; the first is the hourly one.
    """
    limit, remaining = _count(headers.get("X-RateLimit-Limit")), _count(headers.get("X-RateLimit-Remaining"))
    if limit is None or remaining is None:
        return None
    resets_in = seconds_until(headers.get("X-RateLimit-Reset"), now=now, date=headers.get("Date"))
    return limit, remaining, None if resets_in is None else min(max(resets_in, 0.0), LONGEST_WAIT_SECONDS)


def clock_skew(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how many seconds `now` is ahead of the reply's own clock, or None where it does not tell."""
    theirs = _http_date(headers.get("Date"))
    return None if theirs is None else now - theirs


def _count(value: str | None) -> int | None:
    first = (value or "").partition(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) <= 9 else None
