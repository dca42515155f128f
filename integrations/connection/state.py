"""State: moves a connection from state to state; nothing else does."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from integrations.errors import ClientMisconfigured, ConnectionLost, IntegrationError
from integrations.ledger.record import record_act
from integrations.models import Connection, ConnectionState
from integrations.signals import connection_lost

OPEN = tuple(state for state in ConnectionState if state != ConnectionState.DISCONNECTED)


def set_state(
    connection: Connection,
    state: ConnectionState,
    *,
    only_from: Collection[ConnectionState] = OPEN,
    token_version: int | None = None,
    reason: str = "",
    erase_tokens: bool = False,
) -> bool:
    """The connection is in `state`; returns False, changing nothing, where it was in none of `only_from`.

    token_version: where given, also False when the tokens are not those of this version any more.
    """
    changes: dict[str, object] = {
        "state": state,
        "state_reason": reason,
        "state_changed_at": timezone.now(),
        "refresh_started_at": None,
    }
    if erase_tokens:
        changes |= {"access_sealed": "", "refresh_sealed": "", "access_expires_at": None}
    rows = Connection.objects.filter(pk=connection.pk, state__in=set(only_from) - {state})
    if token_version is not None:
        rows = rows.filter(token_version=token_version)
    touched = rows.update(**changes)
    if touched:
        connection.refresh_from_db()
    return bool(touched)


def note_failure(connection: Connection, error: IntegrationError, *, token_version: int | None) -> None:
    """What ends a whole connection is on its row; called by whoever opened a session and caught `error`.

    token_version: of the tokens the error was met with, as it says nothing about a newer pair that
    somebody who reconnected has stored meanwhile; None where none were read.
    """
    present = Connection.objects.get(pk=connection.pk)
    if isinstance(error, ClientMisconfigured):
        set_state(
            present,
            ConnectionState.MISCONFIGURED,
            only_from=[ConnectionState.ACTIVE],
            token_version=token_version,
            reason=error.message,
        )
        return
    if not isinstance(error, ConnectionLost):
        return
    with transaction.atomic():
        if set_state(
            present,
            ConnectionState.LOST,
            only_from=[ConnectionState.ACTIVE, ConnectionState.MISCONFIGURED],
            token_version=token_version,
            reason=error.message,
            erase_tokens=True,
        ):
            record_act("connection lost", domain=present.domain, connection=present, detail=error.detail)
            transaction.on_commit(lambda: connection_lost.send(sender=Connection, connection=present))
