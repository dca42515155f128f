"""Answers the door when it asks what leaving does to mailboxes."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from integrations.models import Connection, ConnectionState, DisconnectStep
from integrations.outlook import RestoreOutlook
from integrations.signals import restore_outlook_asked

from .models import DeliveryRun, DeliveryRunState
from .restore import get_owed


@receiver(restore_outlook_asked)
def get_restore_outlook(connection: Connection, **kwargs: Any) -> RestoreOutlook:
    """Return how many mailboxes get their original back, and how far that went where leaving has begun."""
    run = _get_restore(connection)
    if run is None:
        has_left = connection.state == ConnectionState.DISCONNECTED
        return RestoreOutlook(total=0 if has_left else get_owed(connection).count())
    return RestoreOutlook(
        total=run.planned, restored=run.delivered, conflicts=run.refused, failed=run.failed, run_id=run.pk
    )


def _get_restore(connection: Connection) -> DeliveryRun | None:
    """Return the run that restores for this leaving, not one that a person once asked for beside it."""
    if connection.state not in (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED):
        return None
    if not connection.disconnect_restores:
        return None
    runs = DeliveryRun.objects.filter(connection=connection, kind=DeliveryRun.Kind.RESTORE).exclude(
        state=DeliveryRunState.PLANNING
    )
    if connection.disconnect_step == DisconnectStep.RESTORING:
        runs = runs.filter(created_at__gte=connection.state_changed_at)
    return runs.first()
