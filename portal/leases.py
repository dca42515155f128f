"""Leases: let one process at a time work on a row, for as long as it renews its lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

COLUMN = "lease_until"


class LeaseLost(Exception):
    """The lease was taken over or ended; this process may change nothing more."""


def is_free(column: str = COLUMN) -> Q:
    """Return a filter for rows without a current lease: never taken, released or expired."""
    return Q(**{column: None}) | Q(**{f"{column}__lt": timezone.now()})


class Lease:
    """A process's lease of one row.

    Every change of the row goes through it, so that an expired lease changes nothing.

    lasts: longer than the holder can take between two renewals; one that was stuck for longer stops by itself.
    """

    def __init__(
        self, model: type[models.Model], pk: Any, *, lasts: timedelta, column: str = COLUMN, until: datetime
    ) -> None:
        self._rows = model._base_manager.filter(pk=pk)
        self._lasts = lasts
        self._column = column
        self._ours = {until}

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
        until = timezone.now() + self._lasts
        self._change(until, changes)
        self._ours.add(until)  # and not instead: a transaction that is rolled back leaves the earlier instant
        transaction.on_commit(partial(self._ours.intersection_update, {until}))

    def release(self, *, free_at: datetime | None = None, **changes: object) -> None:
        """Change the row and release it, not to be taken before `free_at`. Raises LeaseLost, changing nothing."""
        self._change(free_at, changes)

    def _change(self, until: datetime | None, changes: dict[str, object]) -> None:
        held = self._rows.filter(**{f"{self._column}__in": self._ours})
        if held.update(**{self._column: until}, **changes) != 1:
            raise LeaseLost(f"{self._rows.model._meta.verbose_name} is leased by another process")
