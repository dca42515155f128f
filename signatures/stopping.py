"""A halted delivery is given up; continuing it is in `delivery`."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from integrations.ledger import record_act

from .delivery import DeliveryBlocked
from .models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState


@transaction.atomic
def stop_delivery(run: DeliveryRun, *, by_label: str) -> DeliveryRun:
    """The halted run is over; the mailboxes it had not reached keep what they hold.

    Raises: DeliveryBlocked, where the run asks nobody any more.
    """
    touched = DeliveryRun.objects.filter(pk=run.pk, state=DeliveryRunState.HALTED).update(
        state=DeliveryRunState.SKIPPED, cause=f"Stopped by {by_label}.", finished_at=timezone.now()
    )
    if touched != 1:
        raise DeliveryBlocked("This delivery went on or ended meanwhile. Nothing was stopped.")
    left = Delivery.objects.filter(run=run, state__in=[DeliveryState.PLANNED, DeliveryState.CLAIMED])
    skipped = left.update(
        state=DeliveryState.SKIPPED,
        reason_code="run_ended",
        reason="The delivery was stopped before this mailbox.",
        finished_at=timezone.now(),
    )
    DeliveryRun.objects.filter(pk=run.pk).update(skipped=run.skipped + skipped)
    record_act(
        "delivery stopped",
        domain=run.domain,
        connection=run.connection,
        actor_label=by_label,
        job=f"delivery {run.pk}",
        detail=f"{skipped} mailboxes left as they are",
    )
    run.refresh_from_db()
    return run
