"""Pace: whether and when a call is made again, and how far apart reads are kept."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from integrations.errors import IntegrationError, RateLimited, ReplyTooLarge, Unreachable, UnreadableReply

from .read_spacing import ReadSpacing
from .replies import LONGEST_WAIT_IN_PLACE_SECONDS, InMaintenance, TokenRejected

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 2.0


class Pace:
    """One client's pace. Safe to use from several threads.

    repeats: False sends each call once, whatever comes of it.
    sleep, jitter: the clock and chance, for tests; jitter() is from 0 to 1.
    """

    def __init__(
        self,
        *,
        repeats: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.repeats = repeats
        self.spacing = ReadSpacing()
        self.sleep = sleep
        self._jitter = jitter

    def keep_distance(self) -> None:
        """Wait before a read as long as repeated 429s ask for."""
        if self.repeats and self.spacing.seconds:
            self.sleep(self.spacing.seconds)

    def back_off(self, failures: int) -> None:
        """Wait before a read is tried again, longer after each failure in a row."""
        seconds = min(FIRST_BACKOFF_SECONDS * 2 ** (failures - 1), LONGEST_BACKOFF_SECONDS)
        self.sleep(seconds * (0.5 + self._jitter() / 2))


@dataclass(slots=True)
class Attempts:
    """The attempts at one call. tries: how many, where no answer comes or none that can be read."""

    pace: Pace
    tries: int
    has_renewed: bool = False
    has_waited: bool = False
    failures: int = 0

    def may_repeat(self, error: IntegrationError) -> bool:
        """Return whether the call is made again after this error, having waited for as long as it takes.

        After a 401 once, with another token; after a 429 of at most 5 seconds once.
        """
        if isinstance(error, TokenRejected):
            is_first, self.has_renewed = not self.has_renewed, True
            return is_first and self.pace.repeats
        if isinstance(error, RateLimited):
            self.pace.spacing.limited()
            is_long = error.retry_after_seconds > LONGEST_WAIT_IN_PLACE_SECONDS
            if self.has_waited or is_long or not self.pace.repeats:
                return False
            self.has_waited = True
            self.pace.sleep(error.retry_after_seconds)
            return True
        is_broken = isinstance(error, (Unreachable, UnreadableReply))
        if not is_broken or isinstance(error, (InMaintenance, ReplyTooLarge)):
            return False
        self.failures += 1
        if self.failures >= self.tries or not self.pace.repeats:
            return False
        self.pace.back_off(self.failures)
        return True
