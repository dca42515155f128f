"""Pace: how many writes of one connection may be in flight and how far apart they start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from integrations.models import CallBudget, Connection


@dataclass(frozen=True, slots=True)
class Step:
    """in_flight: writes at a time. apart_seconds: from the start of one to the start of the next."""

    in_flight: int
    apart_seconds: float


STEPS = (
    Step(8, 0.0),
    Step(4, 0.0),
    Step(2, 0.0),
    Step(1, 0.0),
    Step(1, 0.5),
    Step(1, 1.0),
    Step(1, 2.0),
)
FASTER_AFTER = 25  # writes in a row that met no limit


class Pace:
    """One session's share: a step slower with each limit that is met, a step faster after a while without.

    Limits that several writes meet at once count as one. Safe to use from several threads.
    """

    def __init__(self, step: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.step = min(max(step, 0), len(STEPS) - 1)
        self._clock = clock
        self._in_flight = 0
        self._next_at = 0.0
        self._slowed_at = float("-inf")
        self._unlimited = 0
        self._turn = threading.Condition()

    @contextmanager
    def one_write(self, count_limits: Callable[[], int]) -> Iterator[None]:
        """Wait for this write's turn; what it met is learnt from when it ends.

        count_limits: how many replies so far said to wait.
        """
        self._enter()
        began, limits = self._clock(), count_limits()
        try:
            yield
        finally:
            self._leave(began, is_limited=count_limits() > limits)

    def _enter(self) -> None:
        with self._turn:
            while True:
                step = STEPS[self.step]
                wait = self._next_at - self._clock()
                if self._in_flight < step.in_flight and wait <= 0:
                    break
                self._turn.wait(wait if wait > 0 else None)
            self._in_flight += 1
            self._next_at = self._clock() + step.apart_seconds

    def _leave(self, began: float, *, is_limited: bool) -> None:
        with self._turn:
            self._in_flight -= 1
            if is_limited and began >= self._slowed_at:
                self.step = min(self.step + 1, len(STEPS) - 1)
                self._slowed_at = self._clock()
            self._unlimited = 0 if is_limited else self._unlimited + 1
            if self._unlimited >= FASTER_AFTER and self.step:
                self.step -= 1
                self._unlimited = 0
            self._turn.notify_all()


def read_pace(connection: Connection) -> int:
    """Return the step at which the connection's latest job left off."""
    step = CallBudget.objects.filter(connection=connection).values_list("pace", flat=True).first()
    return step or 0


def store_pace(connection: Connection, step: int) -> None:
    """The next job begins at this step."""
    CallBudget.objects.filter(connection=connection).exclude(pace=step).update(pace=step)
