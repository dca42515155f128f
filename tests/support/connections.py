"""Connections: stored columns, calls and privileged acts of a connection."""

from __future__ import annotations

from typing import Any

from integrations.models import Connection, LedgerEntry
from portal.models import Domain

PUBLIC_URL = "http://testserver"


def get_values(connection: Connection) -> dict[str, Any]:
    """Every column of a connection as it is stored now, the sealed ones too."""
    return dict(Connection.objects.filter(pk=connection.pk).values().get())


def get_calls(connection: Connection | None = None) -> list[tuple[str, str, int, int]]:
    """(endpoint, outcome, status, times) of every call in the ledger, oldest first."""
    entries = LedgerEntry.objects.filter(action="call").order_by("id")
    if connection is not None:
        entries = entries.filter(connection_ref=str(connection.pk))
    return list(entries.values_list("endpoint", "outcome", "status", "times"))


def get_acts(domain: Domain) -> list[str]:
    """The privileged acts of a domain, oldest first."""
    return list(
        LedgerEntry.objects.filter(domain=domain)
        .exclude(action="call")
        .order_by("id")
        .values_list("action", flat=True)
    )
