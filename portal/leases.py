"""Leases: let one process at a time work on a row, for as long as it renews its lease.

While the holder works inside `kept`, a thread renews the lease, which is then short: what a killed or frozen process
held is free within LEASE_SECONDS, however long its next step would have taken.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections, models, transaction
from django.db.models import Q
from django.utils import timezone

COLUMN = "lease_until"
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux: counts a machine's sleep, too


class LeaseLost(Exception):
    """The lease was taken over or ended; this process may change nothing more."""


def is_free(column: str = COLUMN) -> Q:
    """Return a filter for rows without a current lease: never taken, released or expired."""
    return Q(**{column: None}) | Q(**{f"{column}__lt": timezone.now()})


class Lease:
    """A process's lease of one row.

    Every change of the row goes through it, so that an expired lease changes nothing.

    lasts: longer than the holder can take between two renewals of its own. One that was stuck for longer, or
    frozen, finds its lease lost before it changes anything; `is_current` tells without a query.
    """

    def __init__(
        self, model: type[models.Model], pk: Any, *, lasts: timedelta, column: str = COLUMN, until: datetime
    ) -> None:
        self._rows = model._base_manager.filter(pk=pk)
        self._lasts = lasts
        self._length = lasts
        self._column = column
        self._ours = {until}
        self._beaten: deque[datetime] = deque(maxlen=8)  # the thread's; no commit of the holder's drops them
        self._renewed_at = _now()
        self._current_until = self._renewed_at + lasts.total_seconds()

    @classmethod
    @transaction.atomic
    def take(
        cls,
        model: type[models.Model],
        pk: Any,
        due: Q,
        *,
        lasts: timedelta,
        column: str = COLUMN,
        **changes: object,
    ) -> Lease | None:
        """Change the row and return its lease; None where it is not due or is leased already."""
        # The row's lock makes a second taker look again after the first has committed.
        rows = model._base_manager.select_for_update(of=("self",)).filter(due, pk=pk)
        if rows.first() is None:
            return None
        until = timezone.now() + lasts
        lease = cls(model, pk, lasts=lasts, column=column, until=until)
        lease._rows.update(**{column: until}, **changes)
        return lease

    def renew(self, **changes: object) -> None:
        """Change the row and renew the lease. Raises LeaseLost, changing nothing."""
        began, until = _now(), timezone.now() + self._length
        self._change(until, changes)
        self._ours.add(until)  # and not instead: a transaction that is rolled back leaves the earlier instant
        transaction.on_commit(partial(self._note_renewal, began, until))

    def _note_renewal(self, began: float, until: datetime) -> None:
        self._ours.intersection_update({until})
        self._renewed_at, self._current_until = began, began + self._length.total_seconds()

    @property
    def is_current(self) -> bool:
        """Whether nobody else can have taken the row: what must not happen twice is begun only then."""
        return _now() < self._current_until

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the lease LEASE_SECONDS long, and renew it while the block runs and the holder is not stuck.

        Raises LeaseLost, where it is lost already.
        """
        self._length = min(self._lasts, timedelta(seconds=settings.LEASE_SECONDS))
        self.renew()
        is_over = threading.Event()
        threading.Thread(target=self._beat, args=(is_over,), daemon=True, name="lease").start()
        try:
            yield
        finally:
            is_over.set()

    def _beat(self, is_over: threading.Event) -> None:
        try:
            while not is_over.wait(self._length.total_seconds() / 3):
                began, until = _now(), timezone.now() + self._length
                if began > self._renewed_at + self._lasts.total_seconds():
                    return  # the holder is stuck
                self._beaten.append(until)
                with suppress(DatabaseError):  # it is tried again, or the lease ends
                    if self._list_held().update(**{self._column: until}):
                        self._current_until = began + self._length.total_seconds()
        finally:
            connections.close_all()

    def release(self, *, free_at: datetime | None = None, **changes: object) -> None:
        """Change the row and release it, not to be taken before `free_at`. Raises LeaseLost, changing nothing."""
        self._change(free_at, changes)

    def _change(self, until: datetime | None, changes: dict[str, object]) -> None:
        if self._list_held().update(**{self._column: until}, **changes) != 1:
            raise LeaseLost(f"{self._rows.model._meta.verbose_name} is leased by another process")

    def _list_held(self) -> models.QuerySet[Any]:
        """Return the row, if it still has an instant that we stored."""
        return self._rows.filter(**{f"{self._column}__in": [*self._ours, *self._beaten]})


def _now() -> float:
    return time.clock_gettime(_CLOCK)
