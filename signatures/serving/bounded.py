"""Bounded memory: keeps many small named tuples in a process, at little cost for whoever else works in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=tuple[Any, ...])


class Bounded(Generic[K, R]):
    """A dictionary of named tuples that forgets what came in first once it is full; reading takes no lock.

    They are kept as plain tuples of numbers and words: those the garbage collector leaves aside, where a full
    collection would stop every thread for 60 ms to walk through 200,000 objects.
    """

    def __init__(self, most: int, make: Callable[..., R]) -> None:
        """most: how many are kept. make: the class of the named tuples."""
        self._most = most
        self._make = make
        self._kept: dict[K, tuple[Any, ...]] = {}

    def get(self, key: K) -> R | None:
        """Return what is kept under the key, or None."""
        packed = self._kept.get(key)
        return None if packed is None else self._make(*packed)

    def keep(self, key: K, row: R) -> None:
        """Keep the row under the key; what came in first makes room."""
        self._kept[key] = tuple(row)
        while len(self._kept) > self._most:
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):  # another thread was faster
                del self._kept[next(iter(self._kept))]

    def __len__(self) -> int:
        return len(self._kept)
