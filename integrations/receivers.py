"""Receivers: queue background work for what integrations announces."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from integrations.models import Connection
from portal.background import enqueue

from .signals import revoking_due


@receiver(revoking_due, dispatch_uid="integrations.continue_disconnect")
def continue_disconnect(connection: Connection, **kwargs: Any) -> None:
    """Queue the next step of a disconnect, once this one is committed."""
    enqueue("integrations.tasks.continue_disconnect", connection_id=str(connection.pk))
