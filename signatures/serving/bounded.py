"""Bounded cache: keeps many small named tuples in a process, out of the garbage collector's way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=tuple[Any, ...])


class Bounded(Generic[K, R]):
    """A dictionary of named tuples that drops its oldest entry when it is full; reading takes no lock.

    They are stored as plain tuples of numbers and texts, which the garbage collector does not track: a full
    collection of 200,000 tracked objects stops every thread for 60 ms.
    """

    def __init__(self, most: int, make: Callable[..., R]) -> None:
        """most: how many are kept. make: the class of the named tuples."""
        self._most = most
        self._make = make
        self._kept: dict[K, tuple[Any, ...]] = {}

    def get(self, key: K) -> R | None:
        """Return the row of the key, or None."""
        packed = self._kept.get(key)
        return None if packed is None else self._make(*packed)

    def keep(self, key: K, row: R) -> None:
        """Keep the row under the key, and drop the oldest where the cache is full."""
        self._kept[key] = tuple(row)
        while len(self._kept) > self._most:
            with contextlib.suppress(StopIteration, KeyError, RuntimeError):  # another thread was faster
                del self._kept[next(iter(self._kept))]

    def __len__(self) -> int:
        return len(self._kept)
