"""Count retention: removes daily counts of long ago, by sender and in all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from portal.batches import get_limit, remove_rows
from portal.models import Domain
from signatures.models import DailyCount, DailyTotal

LEAST_DAYS = 400
"""The shortest time: a period is compared with the same one of the year before."""


def remove_old_counts(*, writes: bool = True) -> dict[str, int]:
    """Return how many daily counts went, or without `writes` would go."""
    return {
        "daily counts by sender": sum(
            remove_rows(rows, writes=writes) for rows in list_old_counts(DailyCount)
        ),
        "daily counts": sum(remove_rows(rows, writes=writes) for rows in list_old_counts(DailyTotal)),
    }


def list_old_counts(model: type[Any]) -> Iterator[QuerySet[Any]]:
    """Yield each domain's old counts, as the index has them."""
    for domain in Domain.objects.order_by("pk"):
        yield model.objects.filter(domain=domain, day__lt=_get_first_day())


def _get_first_day() -> date:
    return get_limit(max(settings.COUNT_KEEP_DAYS, LEAST_DAYS)).date()
