"""Timed check: ask something that may hang, and have an answer within seconds all the same."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")

SECONDS = 3.0  # load balancers and Kubernetes wait 4 or 5
ANEW_SECONDS = 30.0  # a thread that hangs for longer is left to itself, and another one asks

log = logging.getLogger(__name__)


class TimedCheck(Generic[T]):
    """One question, asked in a thread of its own with database connections of its own.

    late: the answer where none comes in time, or where asking fails. While an earlier question hangs, no other one
    is asked: whoever asks then has `late` at once.
    """

    def __init__(self, ask: Callable[[], T], *, late: T) -> None:
        self._ask = ask
        self._late = late
        self._lock = threading.Lock()
        self._future: Future[T] | None = None
        self._began_at = 0.0

    def begin(self) -> Callable[[], T]:
        """Ask, and return what waits for the answer; several checks can so be asked side by side."""
        with self._lock:
            now = time.monotonic()
            if self._future is None or self._future.done() or now - self._began_at > ANEW_SECONDS:
                self._future, self._began_at = Future(), now
                threading.Thread(target=self._run, args=(self._future,), daemon=True, name="check").start()
            future, ends_at = self._future, self._began_at + SECONDS
        return lambda: self._wait(future, ends_at)

    def _wait(self, future: Future[T], ends_at: float) -> T:
        try:
            return future.result(timeout=max(ends_at - time.monotonic(), 0))
        except TimeoutError:
            return self._late

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._ask())
        except Exception as error:
            log.warning("A check failed (%s).", type(error).__name__)
            future.set_result(self._late)
        finally:
            connections.close_all()
