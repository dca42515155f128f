"""Permission to deliver: whether a connection lets us read and change mailboxes, and why not."""

from __future__ import annotations

from integrations.catalogue import get_provider
from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import get_block_reason, get_unusable_reason
from integrations.models import Connection, Mode
from portal.models import Domain

from .base import DeliveryBlocked


def get_write_scope() -> str:
    """Return the permission that opens mailboxes."""
    return get_provider().listing_scopes["mailboxes"]


def get_delivery_block_reason(connection: Connection | None) -> str:
    """Return why nothing can be planned or delivered over this connection, or ''."""
    if connection is None or not connection.is_usable:
        return get_unusable_reason(connection)
    blocked = get_block_reason(connection, get_write_scope())
    return f"Signatures cannot be delivered. {blocked}" if blocked else ""


def get_deliverable_connection(domain: Domain) -> Connection:
    """Return the domain's connection. Raises: DeliveryBlocked where nothing can be planned over it."""
    connection = get_connection(domain)
    reason = get_delivery_block_reason(connection)
    if connection is None or reason:
        raise DeliveryBlocked(reason)
    return connection


def get_write_block_reason(connection: Connection | None) -> str:
    """Return why nothing may be written over this connection now, or ''."""
    unreadable = get_delivery_block_reason(connection)
    if unreadable or connection is None:
        return unreadable
    if connection.mode == Mode.DRY_RUN:
        return "The connection is in dry run: nothing is written. Switch it to live on the Integrations page."
    if connection.paused_at is not None:
        return "Deliveries are paused. Resume them on the Integrations page."
    return ""
