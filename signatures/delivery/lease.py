"""Who works on a run: one process at a time, for as long as it shows signs of life."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from integrations.ledger.record import record_unknown_write
from portal.leases import Lease
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .permission import get_write_scope

LEASE = timedelta(seconds=120)  # renewed every second; a holder that was stuck for longer stops by itself


def is_due() -> Q:
    """Return which runs may be taken up now: queued, waited long enough, or left behind by a dead process."""
    now = timezone.now()
    return (
        Q(state=DeliveryRunState.QUEUED)
        | Q(state=DeliveryRunState.WAITING, resume_at__lte=now)
        | Q(state=DeliveryRunState.WAITING, resume_at=None, connection__paused_at=None)
        | Q(state=DeliveryRunState.RUNNING, lease_until__lt=now)
    )


@transaction.atomic
def take_run(run_id: int, kind: str) -> Lease | None:
    """Return the hold on a run of this kind that is due, or None where it is not or is held already.

    Writes of a dead process whose outcome nobody knows are planned again, counted as an attempt.
    """
    lease = Lease.take(
        DeliveryRun,
        run_id,
        is_due() & Q(kind=kind),
        lasts=LEASE,
        state=DeliveryRunState.RUNNING,
        started_at=Coalesce("started_at", Value(timezone.now())),
        resume_at=None,
        cause="",
    )
    if lease is not None:
        _plan_again(DeliveryRun.objects.select_related("connection", "connection__domain").get(pk=run_id))
    return lease


def _plan_again(run: DeliveryRun) -> None:
    """Writes that were in the air count as attempts, and are in the ledger with their outcome unknown."""
    claimed = Delivery.objects.filter(run=run, state=DeliveryState.CLAIMED)
    for mailbox_id in claimed.values_list("mailbox_remote_id", flat=True):
        record_unknown_write(
            run.connection,
            endpoint="write_signature",
            scope=get_write_scope(),
            object_ref=mailbox_id,
            job=run.job_label,
        )
    claimed.update(state=DeliveryState.PLANNED, attempts=F("attempts") + 1)
