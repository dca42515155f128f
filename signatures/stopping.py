"""A person gives a halted delivery up; continuing it is in `delivery`."""

from __future__ import annotations

from django.db import transaction

from integrations.ledger import record_act

from .delivery import DeliveryBlocked
from .givingup import give_up
from .models import DeliveryRun, DeliveryRunState


@transaction.atomic
def stop_delivery(run: DeliveryRun, *, by_label: str) -> DeliveryRun:
    """The halted delivery is over; the mailboxes it had not reached keep what they hold.

    Raises: DeliveryBlocked, where it asks nobody any more, or is a restore: that ends by being continued.
    """
    halted = DeliveryRun.objects.select_for_update().filter(
        pk=run.pk, state=DeliveryRunState.HALTED, kind=DeliveryRun.Kind.DELIVER
    )
    if halted.first() is None:
        raise DeliveryBlocked("This delivery does not wait for an answer any more. Nothing was stopped.")
    give_up([run.pk], f"Stopped by {by_label}.")
    run.refresh_from_db()
    record_act(
        "delivery stopped",
        domain=run.domain,
        connection=run.connection,
        actor_label=by_label,
        job=f"delivery {run.pk}",
        detail=f"{run.skipped} mailboxes left as they are",
    )
    return run
