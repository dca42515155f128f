"""Permission to deliver: whether a connection lets us read and change mailboxes, and why not."""

from __future__ import annotations

from integrations.catalogue import get_provider
from integrations.connection.permissions import say_why_blocked, say_why_unusable
from integrations.models import Connection, Mode


def get_write_scope() -> str:
    """Return the permission that opens mailboxes."""
    return get_provider().listing_scopes["mailboxes"]


def say_why_unreadable(connection: Connection | None) -> str:
    """Return why nothing can be planned or delivered over this connection, or ''."""
    if connection is None or not connection.is_usable:
        return say_why_unusable(connection)
    blocked = say_why_blocked(connection, get_write_scope())
    return f"Signatures cannot be delivered. {blocked}" if blocked else ""


def say_why_unwritable(connection: Connection | None) -> str:
    """Return why nothing may be written over this connection just now, or ''."""
    unreadable = say_why_unreadable(connection)
    if unreadable or connection is None:
        return unreadable
    if connection.mode == Mode.DRY_RUN:
        return "The connection is in dry run: nothing is written. Switch it to live on the Integrations page."
    if connection.paused_at is not None:
        return "Deliveries are paused. Resume them on the Integrations page."
    return ""
