"""Receivers: start work on signals of integrations."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from integrations.models import Connection, SyncRun
from integrations.signals import (
    connection_lost,
    directory_synced,
    disconnect_requested,
    following_asked,
)
from portal.background import enqueue
from signatures.delivery.after_sync import catch_up
from signatures.delivery.runs import IDLE, give_up

from .models import DeliveryRun


@receiver(directory_synced, dispatch_uid="signatures.follow_sync")
def follow_sync(run: SyncRun, **kwargs: Any) -> None:
    """Update senders once the sync is committed."""
    enqueue("signatures.tasks.follow_sync", run_id=run.pk)


@receiver(following_asked, dispatch_uid="signatures.catch_up")
def catch_up_now(connection: Connection, **kwargs: Any) -> None:
    """Update senders before returning; automatic delivery is left to the worker's `follow_sync`."""
    catch_up(connection)


@receiver(disconnect_requested, dispatch_uid="signatures.delivery.restore")
def restore_originals(connection: Connection, **kwargs: Any) -> None:
    """Restore originals, once the request is committed."""
    enqueue("signatures.tasks.restore_signatures", connection_id=str(connection.pk))


@receiver(connection_lost, dispatch_uid="signatures.skip_queued")
def skip_queued_deliveries(connection: Connection, **kwargs: Any) -> None:
    """End queued runs of a disconnected connection as skipped."""
    queued = DeliveryRun.objects.filter(connection=connection, state__in=IDLE)
    give_up(list(queued.values_list("pk", flat=True)), connection.state_reason)
