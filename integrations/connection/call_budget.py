"""Call budget: counts the hourly allowance of a connection in one row that all processes share."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from integrations.errors import RateLimited
from integrations.models import CallBudget

WINDOW = timedelta(hours=1)
CLOCK_SLACK = timedelta(minutes=5)
BACKGROUND_SHARE_PERCENT = 80  # the rest is kept for people who are waiting in front of a page
BATCH = 20  # calls taken from the row at a time; what is left over is given back
HELD_SECONDS = 1.0  # after this long they are settled anew, so that a pause asked for elsewhere is seen


@dataclass(slots=True)
class _Taken:
    """Calls taken from the row and not used yet. until: the end of the hour they were taken from."""

    calls: int = 0
    at: float = 0.0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the latest reply said of the allowance."""

    limit: int
    remaining: int
    ends_at: datetime | None
    at: datetime

    def is_over(self, earlier_end: datetime | None, now: datetime) -> bool:
        """Return whether it tells of an hour that has ended by `now`.

        earlier_end: when the hour that the row knew of ends; it counts where the reply named no end itself.
        """
        if self.ends_at is not None:
            return self.ends_at <= now
        return earlier_end is not None and self.at < earlier_end <= now


class HourlyBudget:
    """One session's share of a connection's allowance. Safe to use from several threads."""

    def __init__(self, connection_id: UUID, *, background: bool) -> None:
        self._connection_id = connection_id
        self._background = background
        self._taken = _Taken()
        self._seen: _Seen | None = None
        self._lock = threading.Lock()

    def take(self) -> None:
        """One call may leave. Raises RateLimited where the allowance, or its background share, is used up."""
        with self._lock:
            if not self._taken.calls or time.monotonic() - self._taken.at > HELD_SECONDS:
                self._in_database(BATCH)
            self._taken.calls -= 1

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        """Remember what the latest reply said; it is stored with the next batch, or at the end."""
        now = timezone.now()
        ends_at = None if resets_in_seconds is None else now + timedelta(seconds=resets_in_seconds)
        with self._lock:
            self._seen = _Seen(limit, remaining, ends_at, now)

    def blocked(self, seconds: float) -> None:
        """No process calls Outreach for this connection during the next `seconds`; others see it within one."""
        with self._lock:
            self._in_database(0, blocked_for=timedelta(seconds=seconds))

    def close(self) -> None:
        """What was taken and not used is given back, and what the replies said is stored."""
        with self._lock:
            if self._taken.calls or self._seen:
                self._in_database(0)

    def _in_database(self, calls: int, *, blocked_for: timedelta | None = None) -> None:
        try:
            self._settle(calls, blocked_for)
        finally:
            if (
                threading.current_thread() is not threading.main_thread()
                and not connections["default"].in_atomic_block
            ):
                connections["default"].close()  # a pool's thread ends without telling Django

    def _settle(self, calls: int, blocked_for: timedelta | None) -> None:
        """What was left is given back, what was seen is stored, and up to `calls` are taken anew."""
        with transaction.atomic():
            CallBudget.objects.get_or_create(
                connection_id=self._connection_id, defaults={"limit": settings.OUTREACH_HOURLY_CALLS}
            )
            row = CallBudget.objects.select_for_update().get(connection_id=self._connection_id)
            now = timezone.now()
            self._account(row, now)
            if blocked_for:
                # Of two waits the longer holds: what one session was told is true for the others too.
                row.blocked_until = max(row.blocked_until or now, now + blocked_for)
            is_blocked = row.blocked_until is not None and _is_ahead(row.blocked_until, now)
            cap = max(row.limit * BACKGROUND_SHARE_PERCENT // 100, 1) if self._background else row.limit
            granted = 0 if is_blocked else max(0, min(calls, cap - row.used))
            row.used += granted
            row.save()
        # Only now: where the transaction failed, what was taken and seen before still counts.
        self._taken, self._seen = _Taken(granted, time.monotonic(), row.window_ends_at), None
        if calls and not granted:
            if is_blocked:
                raise _asked_to_wait((row.blocked_until or now) - now)
            raise _used_up((row.window_ends_at or now) - now)

    def _account(self, row: CallBudget, now: datetime) -> None:
        """The row's hour is the present one, and holds what we know of it; what we know of an earlier is dropped."""
        earlier_end = row.window_ends_at
        if earlier_end is None or not _is_ahead(earlier_end, now):
            row.used, row.window_ends_at = 0, now + WINDOW
        if self._taken.until and now < self._taken.until:
            row.used = max(row.used - self._taken.calls, 0)
        seen = self._seen
        if seen is None or seen.is_over(earlier_end, now):
            return
        if seen.limit > 0:
            row.limit = seen.limit
        if seen.ends_at is not None:
            row.window_ends_at = min(seen.ends_at, now + WINDOW)
        # Another application of the same user spends from the same allowance: believe the larger figure.
        row.used = max(row.used, row.limit - max(seen.remaining, 0))


def _is_ahead(instant: datetime, now: datetime) -> bool:
    """Return whether an hour or a wait still lasts; one that lasts much longer was noted by a clock that was ahead.

    Clocks of two machines differ a little, and who waits for the row's lock reads its own before another notes
    the hour: neither may begin the hour anew.
    """
    return now < instant <= now + WINDOW + CLOCK_SLACK


def _asked_to_wait(wait: timedelta) -> RateLimited:
    seconds = max(wait.total_seconds(), 1.0)
    return RateLimited(
        f"Outreach asked us to wait. Work continues automatically in {_say(seconds)}.",
        retry_after_seconds=seconds,
    )


def _used_up(wait: timedelta) -> RateLimited:
    seconds = max(wait.total_seconds(), 1.0)
    return RateLimited(
        f"This hour’s calls to Outreach are used up. Work continues automatically in {_say(seconds)}.",
        retry_after_seconds=seconds,
    )


def _say(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds <= 90 else f"{math.ceil(seconds / 60)} min"
