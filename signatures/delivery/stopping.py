"""Stopping: a person gives a run up that waits or asks; continuing it is in `delivery`."""

from __future__ import annotations

from django.db import transaction

from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState
from signatures.models import DeliveryRun, DeliveryRunState

from .giving_up import IDLE, give_up
from .restore_report import get_leaving_run, get_owing
from .runs import DeliveryBlocked


@transaction.atomic
def stop_delivery(run: DeliveryRun, *, by_label: str) -> DeliveryRun:
    """A run that waits or asks is over; the mailboxes it had not reached keep what they hold.

    Raises: DeliveryBlocked, where it is at work or over; where it is a restore that asks, which ends by being
    continued and is in nobody's way; or the restore of a disconnect: that is left on the connection's page.
    """
    idle = DeliveryRun.objects.select_for_update(of=("self",)).filter(pk=run.pk, state__in=IDLE).first()
    if idle is None:
        raise DeliveryBlocked("This run is at work this moment, or over. Nothing was stopped; look again.")
    if idle == get_leaving_run(idle.connection):
        raise DeliveryBlocked(
            "This restore belongs to a disconnect. Leave its mailboxes as they are on the Outreach page."
        )
    if idle.kind == DeliveryRun.Kind.RESTORE and idle.state == DeliveryRunState.HALTED:
        raise DeliveryBlocked("A restore that asks you is continued, not stopped; nothing waits for it.")
    give_up([run.pk], f"Stopped by {by_label}.")
    run.refresh_from_db()
    record_act(
        f"{run.job_label.split()[0]} stopped",
        domain=run.domain,
        connection=run.connection,
        actor_label=by_label,
        job=run.job_label,
        detail=f"{run.skipped} mailboxes left as they are",
    )
    return run


@transaction.atomic
def give_up_restoring(connection: Connection, *, by_label: str) -> int | None:
    """The restore of this leaving is over; return how many mailboxes it leaves, None where it is at work."""
    run = get_leaving_run(connection)
    if connection.state != ConnectionState.DISCONNECTING or run is None:
        return None
    if not DeliveryRun.objects.select_for_update(of=("self",)).filter(pk=run.pk, state__in=IDLE).exists():
        return None
    owing = get_owing(run).count()
    give_up([run.pk], f"Left as it is, as {by_label} decided.")
    return owing
