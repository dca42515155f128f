"""Memory of one process that stays bounded, and cheap for whoever else works in the process."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A dictionary that forgets what came in first once it is full; reading takes no lock.

    Values should be plain tuples of numbers and words: those the garbage collector leaves aside, where a full
    collection would stop every thread for 60 ms to walk through 200,000 objects.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[K, V] = {}
        self.get = self._kept.get

    def keep(self, key: K, value: V) -> None:
        self._kept[key] = value
        while len(self._kept) > self._most:
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):  # another thread was faster
                del self._kept[next(iter(self._kept))]

    def __len__(self) -> int:
        return len(self._kept)
