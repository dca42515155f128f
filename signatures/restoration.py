"""What leaving does to a connection's mailboxes, in the door's own terms."""

from __future__ import annotations

from integrations.models import Connection, ConnectionState
from integrations.restoration import Restoration

from .history import get_account_keys
from .models import DeliveryRun, Placement

CONFLICT_CODE = "conflict"
LEAVING = (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED)


def describe_restore(connection: Connection) -> Restoration:
    """Return how many mailboxes hold our signature, and how far the restore of this leaving has gone."""
    if connection.state in LEAVING and connection.disconnect_restores:
        run = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE).first()
        if run is not None:
            return describe_run(run)
    placed = Placement.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection)
    )
    return Restoration(total=placed.count())


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
