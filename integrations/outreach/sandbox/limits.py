"""Limits: allow so many requests per user and hour, told in three headers."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from .clock import Clock
from .settings import Settings

HOUR = 3600


@dataclass
class Usage:
    """What a user has used of the allowance after a request; reset_at is epoch seconds."""

    limit: int
    remaining: int
    reset_at: int
    is_over: bool
    two_valued: bool

    def headers(self) -> list[tuple[str, str]]:
        remaining = str(self.remaining)
        if self.two_valued:
            # tap-outreach saw `9999, 19988`; what the second value counts is not known.
            remaining = f"{self.remaining}, {self.remaining + self.limit}"
        headers = [
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", remaining),
            ("X-RateLimit-Reset", str(self.reset_at)),
        ]
        if self.is_over:
            # Documented as an alias of X-RateLimit-Reset, which is epoch seconds in tap-outreach.
            headers.append(("Retry-After", str(self.reset_at)))
        return headers


class Allowance:
    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self._lock = threading.Lock()
        self._used: dict[int, tuple[float, int]] = {}

    def spend(self, user_id: int) -> Usage:
        """Count one request of this user's hour, unless none is left."""
        limit = self.settings.hourly_limit
        with self._lock:
            now = self.clock.now()
            started_at, used = self._used.get(user_id, (now, 0))
            if not started_at <= now < started_at + HOUR:
                started_at, used = now, 0
            is_over = used >= limit
            used += not is_over
            self._used[user_id] = (started_at, used)
        return Usage(
            limit=limit,
            remaining=max(0, limit - used),
            reset_at=math.ceil(started_at + HOUR),
            is_over=is_over,
            two_valued=self.settings.two_valued_remaining,
        )

    def used(self, user_id: int) -> int:
        return self._used.get(user_id, (0.0, 0))[1]

    def reset(self) -> None:
        """Start every user's hour again."""
        with self._lock:
            self._used.clear()
