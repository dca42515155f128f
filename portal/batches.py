"""Batches: removes or changes many rows in short transactions, so that the database is never blocked for long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

BATCH = 500
LEAST_DAYS = 30
"""The shortest retention a setting can have: the last week's rows are needed to find causes of errors."""


def get_days(days: int) -> int:
    """Return for how many days rows are kept where the setting says so many."""
    return max(days, LEAST_DAYS)


def get_limit(days: int) -> datetime:
    """Return the instant before which rows that are kept for so many days are old."""
    return timezone.now() - timedelta(days=get_days(days))


def remove_rows(
    rows: QuerySet[Any], *, writes: bool = True, keep: Callable[[QuerySet[Any]], None] | None = None
) -> int:
    """Remove the rows, each batch in its own transaction, and return how many; without `writes`, only count.

    keep: called with each batch in its transaction, just before it goes.
    After a kill, calling again removes the rest.
    """
    if not writes:
        return rows.count()
    removed = 0
    ids: list[Any] = []
    while ids := list(_after(rows, ids).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        # The condition holds once more as the row is deleted, as it may have changed since it was found.
        batch = rows.model._default_manager.filter(pk__in=rows.filter(pk__in=ids).values("pk"))
        with transaction.atomic():
            if keep is not None:
                keep(batch)
            deleted = batch.delete()
        removed += deleted[1].get(rows.model._meta.label, 0)
    return removed


def change_rows(rows: QuerySet[Any], change: Callable[[QuerySet[Any]], None]) -> None:
    """Call `change` with the rows, each batch in its own transaction; after a kill, calling again changes the rest."""
    ids: list[Any] = []
    while ids := list(_after(rows, ids).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            change(rows.model._default_manager.filter(pk__in=ids))


def _after(rows: QuerySet[Any], ids: list[Any]) -> QuerySet[Any]:
    """Return the rows behind these: what stays is not read again for each batch."""
    return rows.filter(pk__gt=ids[-1]) if ids else rows
