"""When so many writes fail that a person should look before more are tried."""

from __future__ import annotations

import threading
from collections import deque

IN_A_ROW = 10
WINDOW = 50
MOST_FAILED_IN_WINDOW = WINDOW // 5


class FailureWatch:
    """Counts outcomes of writes in the order they arrive, from any thread. Once it says halt, it stays so."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._why_halt = ""
        self._lock = threading.Lock()

    def succeed(self) -> None:
        """A write was confirmed."""
        with self._lock:
            self._in_a_row = 0
            self._latest.append(True)

    def fail(self) -> str:
        """A write failed for good; returns what `why_halt` then is."""
        with self._lock:
            self._in_a_row += 1
            self._latest.append(False)
            self._why_halt = self._why_halt or self._judge()
            return self._why_halt

    @property
    def why_halt(self) -> str:
        """Why to stop and ask, or '': ten failures in a row, or more than a fifth of the latest fifty."""
        return self._why_halt

    def _judge(self) -> str:
        if self._in_a_row >= IN_A_ROW:
            return f"{self._in_a_row} mailboxes in a row failed."
        failed = self._latest.count(False)
        if failed > MOST_FAILED_IN_WINDOW:
            return f"{failed} of the latest {len(self._latest)} mailboxes failed."
        return ""
