"""How a run that was worked on is left: complete, over for a cause, waiting, or asking a person."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import close_old_connections, transaction
from django.db.models import F
from django.utils import timezone

from integrations.errors import RateLimited
from integrations.faults import record_fault, say_fault
from integrations.outages import explain_outage, get_pause, is_outage, say_outage
from portal.leases import Lease
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .base import Job, Stop

logger = logging.getLogger(__name__)

MOST_COUNTED = 32_000  # stalls that fit into their column


def load_run(run_id: int) -> DeliveryRun:
    """Return the run as it is now, with its domain and connection."""
    return DeliveryRun.objects.select_related("domain", "connection", "connection__domain").get(pk=run_id)


def complete_run(lease: Lease, run: DeliveryRun, job: Job) -> None:
    """The run is complete, or asks a person about what it could not settle."""
    unsettled = job.say_unsettled()
    if unsettled:
        lease.release(state=DeliveryRunState.HALTED, cause=unsettled, waiting_since=timezone.now())
    else:
        end_run(lease, run, DeliveryRunState.COMPLETE, "")


def stop_run(lease: Lease, run: DeliveryRun, stop: Stop, job: Job) -> None:
    """The run is in the state that `stop` asks for; one with nothing left to do is complete instead."""
    if stop.state in (DeliveryRunState.SKIPPED, DeliveryRunState.FAILED):
        end_run(lease, run, stop.state, stop.cause)
        return
    left = run.deliveries.filter(state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
    if stop.state == DeliveryRunState.HALTED and not left.exists():
        complete_run(lease, run, job)  # nothing is left that a person could decide about
        return
    wait = stop.resume_in_seconds
    resume_at = None if wait is None else timezone.now() + timedelta(seconds=wait)
    lease.release(state=stop.state, cause=stop.cause, resume_at=resume_at, waiting_since=timezone.now())


def put_down(lease: Lease, run: DeliveryRun, outage: Exception) -> None:
    """The run waits for the outage to pass, longer each time nothing was settled in between, without end.

    Where the database itself is away the lease lapses instead, and the sweep takes the run up all the same.
    """
    logger.warning("%s waits: %s", run.job_label, explain_outage(outage))
    close_old_connections()
    try:
        present = DeliveryRun.objects.get(pk=run.pk)
        stalls = present.stalls + (not isinstance(outage, RateLimited))
        lease.release(
            state=DeliveryRunState.WAITING,
            cause=say_outage(outage),
            resume_at=timezone.now() + get_pause(stalls, outage),
            stalls=min(stalls, MOST_COUNTED),
            waiting_since=present.waiting_since or timezone.now(),
        )
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("%s goes on when its lease lapses: %s", run.job_label, explain_outage(error))


def fail_run(lease: Lease, run: DeliveryRun, fault: Exception) -> None:
    """A fault of ours ended the run; which and where is in the run, the ledger and the log."""
    with transaction.atomic():
        end_run(lease, run, DeliveryRunState.FAILED, say_fault(fault, job=run.job_label))
        record_fault(fault, connection=run.connection, job=run.job_label)


def end_run(lease: Lease, run: DeliveryRun, state: DeliveryRunState, cause: str) -> None:
    """The run is over; what was not attempted is skipped for the run's cause.

    A restore is over when it is complete and not before: whatever else would end it, it asks a person, who
    continues it or leaves what is left as it is. So does any run that halts.
    """
    now = timezone.now()
    if state == DeliveryRunState.HALTED or (
        run.kind == DeliveryRun.Kind.RESTORE and state != DeliveryRunState.COMPLETE
    ):
        lease.release(state=DeliveryRunState.HALTED, cause=cause, waiting_since=now)
        return
    with transaction.atomic():
        left = Delivery.objects.filter(run=run, state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
        skipped = left.update(
            state=DeliveryState.SKIPPED, reason_code="run_ended", reason=cause, finished_at=now
        )
        lease.release(
            state=state, cause=cause, finished_at=now, waiting_since=None, skipped=F("skipped") + skipped
        )
