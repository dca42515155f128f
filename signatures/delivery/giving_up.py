"""Runs that will not go on: over, with a cause, and what they had not reached skipped for it."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

IDLE = (DeliveryRunState.QUEUED, DeliveryRunState.WAITING, DeliveryRunState.HALTED)


@transaction.atomic
def give_up(run_ids: Collection[int], cause: str) -> None:
    """These runs are skipped; nobody holds them any more, so a process that still did stops by itself."""
    now = timezone.now()
    left = Delivery.objects.filter(run__in=run_ids, state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
    counts = dict(left.order_by().values_list("run").annotate(left=Count("pk")))
    left.update(state=DeliveryState.SKIPPED, reason_code="run_ended", reason=cause, finished_at=now)
    for run in DeliveryRun.objects.filter(pk__in=run_ids):
        DeliveryRun.objects.filter(pk=run.pk).update(
            state=DeliveryRunState.SKIPPED,
            cause=cause,
            finished_at=now,
            lease_until=None,
            skipped=run.skipped + counts.get(run.pk, 0),
        )
