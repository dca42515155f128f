"""What leaving does to a connection's mailboxes, in the door's own terms."""

from __future__ import annotations

from integrations.models import Connection, ConnectionState
from integrations.restoration import LeftBehind, Restoration

from .history import get_account_keys
from .models import DeliveryRun, DeliveryState, Placement

CONFLICT_CODE = "conflict"
LEAVING = (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED)


def describe_restore(connection: Connection) -> Restoration:
    """Return how many mailboxes hold our signature, and how far the restore of this leaving has gone."""
    run = _get_run(connection)
    if run is not None:
        return describe_run(run)
    placed = Placement.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection)
    )
    return Restoration(total=placed.count())


def _get_run(connection: Connection) -> DeliveryRun | None:
    """Return the restore of this leaving, or None where there is none."""
    if connection.state not in LEAVING or not connection.disconnect_restores:
        return None
    return DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE).first()


def list_left(connection: Connection) -> list[LeftBehind]:
    """Return what the restore of this leaving did not give back, with its reason."""
    run = _get_run(connection)
    if run is None:
        return []
    return [
        LeftBehind(
            delivery.mailbox_remote_id,
            delivery.mailbox_email,
            delivery.reason or "It was not reached.",
            is_conflict=delivery.reason_code == CONFLICT_CODE,
        )
        for delivery in run.deliveries.exclude(state=DeliveryState.DELIVERED)
    ]


def describe_run(run: DeliveryRun) -> Restoration:
    """Return how far one restore has gone: what is no conflict and could not be put back has failed."""
    conflicts = run.deliveries.filter(reason_code=CONFLICT_CODE).count()
    return Restoration(
        total=run.planned,
        restored=run.delivered,
        conflicts=conflicts,
        failed=run.refused - conflicts + run.failed + run.skipped,
        run_id=run.pk,
    )
