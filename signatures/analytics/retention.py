"""Count retention: removes daily counts of long ago, by sender and in all."""

from __future__ import annotations

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
        "daily counts by sender": remove_rows(get_old_counts(DailyCount), writes=writes),
        "daily counts": remove_rows(get_old_counts(DailyTotal), writes=writes),
    }


def get_old_counts(model: type[Any]) -> QuerySet[Any]:
    """Return old counts, domain by domain, as the index has them."""
    return model.objects.filter(domain__in=Domain.objects.order_by().values("pk"), day__lt=_get_first_day())


def _get_first_day() -> date:
    return get_limit(max(settings.COUNT_KEEP_DAYS, LEAST_DAYS)).date()
