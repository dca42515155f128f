"""How a run that was worked on is left: complete, over for a cause, waiting, or asking a person."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from integrations.errors import Unreachable

from .job import Stop
from .lease import Lease
from .models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

MOST_STALLS = 5


def load_run(run_id: int) -> DeliveryRun:
    """Return the run as it is now, with its domain and connection."""
    return DeliveryRun.objects.select_related("domain", "connection", "connection__domain").get(pk=run_id)


def stop_run(lease: Lease, run: DeliveryRun, stop: Stop) -> None:
    """The run is in the state that `stop` asks for; one with nothing left to do is complete instead."""
    if stop.state in (DeliveryRunState.SKIPPED, DeliveryRunState.FAILED):
        end_run(lease, run, stop.state, stop.cause)
        return
    if (
        stop.state == DeliveryRunState.HALTED
        and not run.deliveries.filter(state=DeliveryState.PLANNED).exists()
    ):
        end_run(lease, run, DeliveryRunState.COMPLETE, "")  # nothing is left that a person could decide about
        return
    wait = stop.resume_in_seconds
    resume_at = None if wait is None else timezone.now() + timedelta(seconds=wait)
    lease.release(stop.state, cause=stop.cause, resume_at=resume_at)


def stall_run(lease: Lease, run: DeliveryRun, error: Unreachable) -> None:
    """The run waits, longer each time; after five times without any progress it asks a person."""
    stalls = DeliveryRun.objects.values_list("stalls", flat=True).get(pk=run.pk) + 1
    if stalls >= MOST_STALLS:
        lease.release(
            DeliveryRunState.HALTED, cause=f"{error.message} Continue when Outreach answers again.", stalls=0
        )
        return
    resume_at = timezone.now() + timedelta(seconds=min(15 * 2**stalls, 600))
    lease.release(DeliveryRunState.WAITING, cause=error.message, resume_at=resume_at, stalls=stalls)


def end_run(lease: Lease, run: DeliveryRun, state: DeliveryRunState, cause: str) -> None:
    """The run is over; what was not attempted is skipped for the run's cause."""
    now = timezone.now()
    with transaction.atomic():
        left = Delivery.objects.filter(run=run, state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
        skipped = left.update(
            state=DeliveryState.SKIPPED, reason_code="run_ended", reason=cause, finished_at=now
        )
        lease.release(state, cause=cause, finished_at=now, skipped=F("skipped") + skipped)
