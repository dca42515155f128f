"""Thread pool: a fixed number of threads for one event loop, with a bounded queue.

Has less overhead than the standard library's, which matters because every request passes it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class TooBusy(Exception):
    """The queue is full."""


class ThreadPool:
    """Threads that start with the first call and end with the process."""

    def __init__(self, name: str, *, threads: int, most_waiting: int) -> None:
        self._name = name
        self._threads = threads
        self._most_waiting = most_waiting
        self._has_begun = False
        self._calls: SimpleQueue[
            tuple[asyncio.Future[Any], asyncio.AbstractEventLoop, Callable[..., Any], tuple[Any, ...]]
        ] = SimpleQueue()

    def run(self, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Return what the function returns, once a thread ran it. Raises TooBusy at once."""
        if not self._has_begun:
            self._begin()
        if self._calls.qsize() >= self._most_waiting:
            raise TooBusy
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._calls.put((result, loop, function, arguments))
        return result

    def _begin(self) -> None:
        self._has_begun = True
        for number in range(self._threads):
            threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()

    def _work(self) -> None:
        while True:
            result, loop, function, arguments = self._calls.get()
            try:
                returned, error = function(*arguments), None
            except BaseException as raised:
                returned, error = None, raised
            with suppress(RuntimeError):  # the loop is closed: the process is ending
                loop.call_soon_threadsafe(_settle, result, returned, error)
            del result, arguments, returned, error  # or the last request stays in memory until the next one


def _settle(result: asyncio.Future[Any], returned: Any, error: BaseException | None) -> None:
    if result.done():  # nobody waits for it any more
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(returned)
