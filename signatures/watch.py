"""When so many writes fail that a person should look before more are tried. Pure."""

from __future__ import annotations

from collections import deque

IN_A_ROW = 10
WINDOW = 50
MOST_FAILED_IN_WINDOW = WINDOW // 5


class FailureWatch:
    """Counts outcomes of writes in the order they arrive."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=WINDOW)
        self._in_a_row = 0

    def succeed(self) -> None:
        """A write was confirmed."""
        self._in_a_row = 0
        self._latest.append(True)

    def fail(self) -> None:
        """A write failed for good."""
        self._in_a_row += 1
        self._latest.append(False)

    def say_why_halt(self) -> str:
        """Return why to stop and ask, or '': ten failures in a row, or more than a fifth of the latest fifty."""
        if self._in_a_row >= IN_A_ROW:
            return f"{self._in_a_row} mailboxes in a row failed."
        failed = self._latest.count(False)
        if failed > MOST_FAILED_IN_WINDOW:
            return f"{failed} of the latest {len(self._latest)} mailboxes failed."
        return ""
