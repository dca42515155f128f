"""Sync runs: carried out at once, and the mirror they leave."""

from __future__ import annotations

from typing import Any

from integrations.models import Connection, Mailbox, Person, SyncKind, Team
from integrations.sync import runs

SMALL_PAGES = 10


def run_sync(connection: Connection, kind: SyncKind = SyncKind.FULL, **options: Any) -> Any:
    """Ask for a run and carry it out at once; the run as it is then."""
    run = runs.request_sync(connection, kind=kind, actor="test", **options)
    return runs.carry_out(run.pk)


def get_mirror(connection: Connection) -> dict[str, Any]:
    """Every column of every mirrored row of a connection."""
    return {
        model.__name__: list(model.objects.filter(connection=connection).order_by("pk").values())
        for model in (Team, Person, Mailbox)
    }
