"""Deadline: limits the total time of an HTTP exchange. A socket's own timeout restarts with every byte received."""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give every reply that begins inside this block, in this thread, `seconds` to arrive whole.

    A block inside another one ends with the outer one at the latest, so that several calls may share one bound.
    """
    outer = _ends_at.get()
    ends_at = time.monotonic() + seconds
    token = _ends_at.set(ends_at if outer is None else min(outer, ends_at))
    try:
        yield
    finally:
        _ends_at.reset(token)


def get_seconds_left() -> float:
    """Return how long the block around has left. Raises TimeoutError once it is over."""
    ends_at = _ends_at.get()
    left = float("inf") if ends_at is None else ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange took too long")
    return left


class DeadlineResponse(http.client.HTTPResponse):
    """A reply whose head and body raise TimeoutError once the deadline of `within` has passed."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        ends_at = _ends_at.get()
        if ends_at is not None:
            self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, ends_at))


class _DeadlineReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends_at: float) -> None:
        self._raw = raw
        self._sock = sock
        self._ends_at = ends_at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the reply took too long")
        usual = self._sock.gettimeout()
        if usual is not None and usual <= left:
            return self._raw.readinto(buffer)
        # Put back afterwards: the connection is kept alive, and its next request has its own time.
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(usual)

    def close(self) -> None:
        self._raw.close()
        super().close()
