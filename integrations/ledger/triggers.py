"""Triggers: names what the database itself refuses on the ledger. The migrations make them.

An entry is never changed, and deleted only once a checkpoint that covers it is stored; a checkpoint is
neither changed nor deleted. Whoever owns the database can still drop a trigger, which is why entries are
chained as well.
"""

from __future__ import annotations

from django.db import connections, router

from integrations.models import LedgerCheckpoint, LedgerEntry

GUARDS = {
    "sqlite": (
        "ledger_refuses_update", "ledger_refuses_delete", "ledger_refuses_replace",
        "checkpoint_refuses_update", "checkpoint_refuses_delete",
    ),
    "postgresql": (
        "ledger_refuses_change", "ledger_refuses_truncate",
        "checkpoint_refuses_change", "checkpoint_refuses_truncate",
    ),
}  # fmt: skip
_QUERIES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (%s, %s)",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D' AND tgrelid IN (%s::regclass, %s::regclass)",
}


def list_missing() -> list[str]:
    """Return the names of the triggers that ought to be there and are not, or are switched off."""
    connection = connections[router.db_for_write(LedgerEntry)]
    tables = [model._meta.db_table for model in (LedgerEntry, LedgerCheckpoint)]
    with connection.cursor() as cursor:
        cursor.execute(_QUERIES[connection.vendor], tables)
        present = {name for (name,) in cursor.fetchall()}
    return [name for name in GUARDS[connection.vendor] if name not in present]
