"""Failure watch: tells when failed writes halt a run, and when unanswered ones make it wait."""

from __future__ import annotations

import random
import threading
import time
from collections import deque

from integrations.errors import RateLimited

SHORT_WAIT_SECONDS = 5.0  # a longer wait is handed back to the queue
IN_A_ROW = 10
WINDOW = 50
MOST_FAILED_IN_WINDOW = WINDOW // 5


class FailureWatch:
    """Counts outcomes of writes in the order they arrive, from any thread. Once it says halt, it stays so."""

    def __init__(self) -> None:
        self._latest: deque[bool] = deque(maxlen=WINDOW)
        self._in_a_row = 0
        self._halt_reason = ""
        self._lock = threading.Lock()

    def succeed(self) -> None:
        """A write was confirmed."""
        with self._lock:
            self._in_a_row = 0
            self._latest.append(True)

    def fail(self) -> str:
        """Note that a write failed for good; return what `halt_reason` then is."""
        with self._lock:
            self._in_a_row += 1
            self._latest.append(False)
            self._halt_reason = self._halt_reason or self._judge()
            return self._halt_reason

    @property
    def halt_reason(self) -> str:
        """Why to stop and ask, or '': ten failures in a row, or more than a fifth of the latest fifty."""
        return self._halt_reason

    def _judge(self) -> str:
        if self._in_a_row >= IN_A_ROW:
            return f"{self._in_a_row} mailboxes in a row failed."
        failed = self._latest.count(False)
        if failed > MOST_FAILED_IN_WINDOW:
            return f"{failed} of the latest {len(self._latest)} mailboxes failed."
        return ""


class SilenceWatch:
    """Tells whether Outreach answers no writes at all, or only none to one mailbox.

    Used by one thread, which is told of the outcomes in the order they arrive.
    """

    MOST_IN_A_ROW = 5
    MOST_ROUNDS = 3

    def __init__(self) -> None:
        self._in_a_row = 0
        self._rounds = 0
        self._is_answered = False
        self._waiting: set[str] = set()
        self._silent: set[str] = set()
        self._latest: Exception | None = None

    def begin_round(self) -> None:
        """Writes are about to be sent."""
        self._in_a_row, self._is_answered, self._latest = 0, False, None

    def answer(self) -> None:
        """Outreach answered a write, so earlier unanswered ones are due to their mailboxes, not to an outage."""
        self._in_a_row, self._rounds, self._is_answered = 0, 0, True
        self._silent |= self._waiting
        self._waiting.clear()

    def miss(self, mailbox_id: str, error: Exception) -> None:
        """A write got no usable answer."""
        self._in_a_row += 1
        self._latest = error
        self._waiting.add(mailbox_id)

    def limit(self, error: Exception) -> None:
        """A write was not accepted, because Outreach's limit of calls, or our share of it, is used up."""
        self._latest = error

    def is_silent(self, mailbox_id: str) -> bool:
        """Return whether others were answered after a write to this mailbox was not."""
        return mailbox_id in self._silent

    @property
    def is_halting(self) -> bool:
        """Whether so many writes in a row went unanswered that no more should be sent now."""
        return self._in_a_row >= self.MOST_IN_A_ROW

    def end_round(self) -> int:
        """Return how many rounds in a row brought no answer. Raises the latest error after three of them."""
        if self._latest is None or self._is_answered:
            self._rounds = 0
            return 0
        self._rounds += 1
        if self._rounds >= self.MOST_ROUNDS:
            raise self._latest
        return self._rounds


class Backoff:
    """Waits between chunks: as long as a limit asks, and longer each time Outreach answered no write."""

    def __init__(self, silence: SilenceWatch) -> None:
        self._silence = silence
        self._seconds = 0.0

    def wait_for(self, limit: RateLimited) -> None:
        """Make the next wait at least as long as this limit asks for."""
        self._seconds = max(self._seconds, limit.retry_after_seconds)
        self._silence.limit(limit)

    def wait(self) -> None:
        """Wait before the next reading. Raises the latest error after too many rounds without an answer."""
        rounds = self._silence.end_round()
        if rounds:
            self._seconds = max(self._seconds, min(2.0 ** (rounds - 1), SHORT_WAIT_SECONDS))
        if self._seconds:
            time.sleep(self._seconds * random.uniform(1.0, 1.2))  # noqa: S311 - spreads retries, hides nothing
            self._seconds = 0.0
