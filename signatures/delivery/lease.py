"""Who works on a run: one process at a time, for as long as it shows signs of life."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from integrations.ledger.record import record_unknown_write
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .permission import get_write_scope

LEASE = timedelta(seconds=120)  # renewed every second; a holder that was stuck for longer stops by itself


class LeaseLost(Exception):
    """Somebody else works on the run now; nothing more may be done by us."""


def is_due() -> Q:
    """Return which runs may be taken up now: queued, waited long enough, or left behind by a dead process."""
    now = timezone.now()
    return (
        Q(state=DeliveryRunState.QUEUED)
        | Q(state=DeliveryRunState.WAITING, resume_at__lte=now)
        | Q(state=DeliveryRunState.WAITING, resume_at=None, connection__paused_at=None)
        | Q(state=DeliveryRunState.RUNNING, lease_until__lt=now)
    )


class Lease:
    """Our hold on one run. Every change of the run goes through it, so a late holder changes nothing."""

    def __init__(self, run_id: int, until: datetime) -> None:
        self.run_id = run_id
        self._until = until

    @classmethod
    @transaction.atomic
    def take(cls, run_id: int, kind: str) -> Lease | None:
        """Return the hold on a run of this kind that is due, or None where it is not or is held already.

        Writes that a dead process left in the air are planned again, counted as an attempt.
        """
        # The row's lock makes a second taker look again after the first has committed.
        due = DeliveryRun.objects.select_for_update(of=("self",)).filter(is_due(), pk=run_id, kind=kind)
        run = due.select_related("connection", "connection__domain").first()
        if run is None:
            return None
        now = timezone.now()
        lease = cls(run_id, now + LEASE)
        DeliveryRun.objects.filter(pk=run_id).update(
            state=DeliveryRunState.RUNNING,
            lease_until=lease._until,
            started_at=run.started_at or now,
            resume_at=None,
            cause="",
        )
        _plan_again(run)
        return lease

    def update(self, **changes: object) -> None:
        """The run is changed and the hold renewed. Raises LeaseLost, and nothing was changed."""
        until = timezone.now() + LEASE
        self._change(lease_until=until, **changes)
        self._until = until

    def release(self, state: DeliveryRunState, **changes: object) -> None:
        """The run is in `state` and nobody holds it. Raises LeaseLost, and nothing was changed."""
        self._change(state=state, lease_until=None, **changes)

    def _change(self, **changes: object) -> None:
        if DeliveryRun.objects.filter(pk=self.run_id, lease_until=self._until).update(**changes) != 1:
            raise LeaseLost(f"run {self.run_id} is held by another process")


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
