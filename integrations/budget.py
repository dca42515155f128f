"""The hourly allowance: one row per connection, shared by all processes, spent as fast as replies come."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from .errors import RateLimited
from .models import CallBudget

WINDOW = timedelta(hours=1)
BACKGROUND_SHARE_PERCENT = 80  # the rest is kept for people who are waiting in front of a page
BATCH = 20  # calls taken from the row at a time; what is left over is given back


class HourlyBudget:
    """One session's share of a connection's allowance. Safe to use from several threads."""

    def __init__(self, connection_id: UUID, *, background: bool) -> None:
        self._connection_id = connection_id
        self._background = background
        self._permits = 0
        self._seen: tuple[int, int, datetime | None] | None = None
        self._lock = threading.Lock()

    def take(self) -> None:
        """One call may leave. Raises RateLimited where the allowance, or its background share, is spent."""
        with self._lock:
            if self._permits == 0:
                self._permits = self._in_database(BATCH)
            self._permits -= 1

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        """Remember what the latest reply said; it is stored with the next batch, or at the end."""
        ends_at = None if resets_in_seconds is None else timezone.now() + timedelta(seconds=resets_in_seconds)
        with self._lock:
            self._seen = (limit, remaining, ends_at)

    def blocked(self, seconds: float) -> None:
        """No process calls Outreach for this connection during the next `seconds`."""
        with self._lock:
            self._permits = 0
            self._in_database(0, blocked_for=timedelta(seconds=seconds))

    def close(self) -> None:
        """What was taken and not spent is given back, and what the replies said is stored."""
        with self._lock:
            if self._permits or self._seen:
                self._in_database(-self._permits)
            self._permits = 0

    def _in_database(self, calls: int, *, blocked_for: timedelta | None = None) -> int:
        try:
            return self._settle(calls, blocked_for)
        finally:
            if (
                threading.current_thread() is not threading.main_thread()
                and not connections["default"].in_atomic_block
            ):
                connections["default"].close()  # a pool's thread ends without telling Django

    @transaction.atomic
    def _settle(self, calls: int, blocked_for: timedelta | None) -> int:
        """Take up to `calls` (negative: give back) and return how many were taken."""
        now = timezone.now()
        CallBudget.objects.get_or_create(
            connection_id=self._connection_id, defaults={"limit": settings.OUTREACH_HOURLY_CALLS}
        )
        row = CallBudget.objects.select_for_update().get(connection_id=self._connection_id)
        if row.window_ends_at is None or row.window_ends_at <= now:
            row.used, row.window_ends_at = 0, now + WINDOW
        if self._seen:
            self._apply_seen(row, now)
        if blocked_for:
            row.blocked_until = now + blocked_for
        if calls <= 0:
            row.used = max(row.used + calls, 0)
            row.save()
            return 0
        row.save()
        if row.blocked_until and row.blocked_until > now:
            raise _spent(row.blocked_until - now)
        cap = row.limit * BACKGROUND_SHARE_PERCENT // 100 if self._background else row.limit
        taken = min(calls, cap - row.used)
        if taken <= 0:
            raise _spent(row.window_ends_at - now)
        row.used += taken
        row.save(update_fields=["used"])
        return taken

    def _apply_seen(self, row: CallBudget, now: datetime) -> None:
        limit, remaining, ends_at = self._seen or (row.limit, 0, None)
        self._seen = None
        if limit > 0:
            row.limit = limit
        if ends_at and now < ends_at <= now + WINDOW:
            row.window_ends_at = ends_at
        # Another application of the same user spends from the same allowance: believe the larger figure.
        row.used = max(row.used, row.limit - max(remaining, 0))


def _spent(wait: timedelta) -> RateLimited:
    seconds = max(wait.total_seconds(), 1.0)
    return RateLimited(
        f"This hour’s calls to Outreach are spent. Work goes on by itself in {max(round(seconds / 60), 1)} min.",
        retry_after_seconds=seconds,
    )
