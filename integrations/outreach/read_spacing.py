"""Read spacing: keeps reads apart after repeated 429s, until Outreach answers again."""

from __future__ import annotations

import threading

FIRST_DISTANCE_SECONDS = 0.5
LONGEST_DISTANCE_SECONDS = 8.0
ANSWERS_THAT_HALVE = 5


class ReadSpacing:
    """One session's distance between its reads. Safe to use from several threads.

    The first 429 changes nothing: it is waited for, and that may be all there was to it. Each further one
    doubles the distance, and every five answers in a row halve it.
    """

    def __init__(self) -> None:
        self._level = 0
        self._answers = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """How long to wait before the next read."""
        if self._level < 2:
            return 0.0
        return min(FIRST_DISTANCE_SECONDS * 2.0 ** (self._level - 2), LONGEST_DISTANCE_SECONDS)

    def limited(self) -> None:
        """Outreach answered 429."""
        with self._lock:
            self._answers = 0
            if self.seconds < LONGEST_DISTANCE_SECONDS:
                self._level += 1

    def answered(self) -> None:
        """Outreach answered."""
        with self._lock:
            self._answers += 1
            if self._level and self._answers >= ANSWERS_THAT_HALVE:
                self._level, self._answers = self._level - 1, 0
