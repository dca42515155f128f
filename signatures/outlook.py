"""What leaving does to a connection's mailboxes, in the door's own terms."""

from __future__ import annotations

from integrations.models import Connection, ConnectionState
from integrations.outlook import RestoreOutlook

from .history import get_account_keys
from .models import DeliveryRun, Placement


def describe_restore(connection: Connection) -> RestoreOutlook:
    """Return how many mailboxes hold our signature, and how far the restore of this leaving has gone."""
    run = None
    if connection.state in (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED):
        run = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE).first()
    if run is not None:
        return RestoreOutlook(
            total=run.planned,
            restored=run.delivered,
            conflicts=run.refused,
            failed=run.failed + run.skipped,
            run_id=run.pk,
        )
    placed = Placement.objects.filter(domain=connection.domain_id, account_key__in=get_account_keys(connection))
    return RestoreOutlook(total=placed.count())
