"""What leaving does to a connection's mailboxes, in the door's own terms."""

from __future__ import annotations

from django.db.models import QuerySet

from integrations.disconnect.restoration import LeftBehind, Restoration
from integrations.models import Connection, ConnectionState
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState, Placement

from .placements import get_account_keys

CONFLICT_CODE = "conflict"
GONE_CODE = "gone"
SETTLED_CODES = (CONFLICT_CODE, GONE_CODE)  # the mailbox holds its owner's text, or is not there any more
LEAVING = (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED)


def describe_restore(connection: Connection) -> Restoration:
    """Return how many mailboxes hold our signature, and how far the restore of this leaving has gone."""
    run = get_leaving_run(connection)
    if run is not None:
        return describe_run(run)
    placed = Placement.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection)
    )
    total = placed.count()
    return Restoration(total=total, owed=total)


def get_leaving_run(connection: Connection) -> DeliveryRun | None:
    """Return the restore of this leaving, or None where there is none."""
    if connection.state not in LEAVING or not connection.disconnect_restores:
        return None
    runs = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE)
    if connection.disconnect_requested_at is not None:  # empty where it was asked for before this was noted
        runs = runs.filter(created_at__gte=connection.disconnect_requested_at)
    return runs.exclude(state=DeliveryRunState.PLANNING).first()


def list_left(connection: Connection) -> list[LeftBehind]:
    """Return what the restore of this leaving did not give back, with its reason."""
    run = get_leaving_run(connection)
    if run is None:
        return []
    return [
        LeftBehind(
            delivery.mailbox_remote_id,
            delivery.mailbox_email,
            delivery.reason or run.cause or "It was not reached.",
            is_conflict=delivery.reason_code == CONFLICT_CODE,
        )
        for delivery in run.deliveries.exclude(state=DeliveryState.DELIVERED)
    ]


def get_owing(run: DeliveryRun) -> QuerySet[Delivery]:
    """Return the rows of a restore whose mailboxes may still hold our signature."""
    return run.deliveries.exclude(state=DeliveryState.DELIVERED).exclude(reason_code__in=SETTLED_CODES)


def describe_run(run: DeliveryRun) -> Restoration:
    """Return how far one restore has gone: what is no conflict and could not be put back has failed."""
    conflicts = run.deliveries.filter(reason_code=CONFLICT_CODE).count()
    is_idle = run.state in (DeliveryRunState.WAITING, DeliveryRunState.HALTED)
    return Restoration(
        total=run.planned,
        restored=run.delivered,
        conflicts=conflicts,
        failed=run.refused - conflicts + run.failed + run.skipped,
        owed=get_owing(run).count(),
        run_id=run.pk,
        waits_for=run.cause if is_idle else "",
        waits_since=run.waiting_since if is_idle else None,
        goes_on_at=run.resume_at if is_idle else None,
        asks=run.state == DeliveryRunState.HALTED,
    )
