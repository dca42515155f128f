"""The one place that moves a connection from state to state."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from .errors import ClientMisconfigured, ConnectionLost, IntegrationError
from .ledger import record_act
from .models import Connection, ConnectionState
from .signals import connection_lost


def set_state(
    connection: Connection, state: ConnectionState, *, reason: str = "", erase_tokens: bool = False
) -> bool:
    """The connection is in `state`; returns False, changing nothing, where it was there or had ended already."""
    changes: dict[str, object] = {"state": state, "state_reason": reason, "state_changed_at": timezone.now()}
    if erase_tokens:
        changes |= {
            "access_sealed": "",
            "refresh_sealed": "",
            "access_expires_at": None,
            "refresh_started_at": None,
        }
    touched = (
        Connection.objects.filter(pk=connection.pk)
        .exclude(state__in=[state, ConnectionState.DISCONNECTED])
        .update(**changes)
    )
    if touched:
        connection.refresh_from_db()
    return bool(touched)


def note_failure(
    connection: Connection, error: IntegrationError, *, token_version: int | None = None
) -> None:
    """What ends a whole connection is on its row; called by whoever opened a session and caught `error`.

    token_version: where given, an error met with an older pair of tokens says nothing about the newer.
    """
    present = Connection.objects.get(pk=connection.pk)
    if token_version is not None and present.token_version != token_version:
        return
    if isinstance(error, ClientMisconfigured):
        if present.state == ConnectionState.ACTIVE:
            set_state(present, ConnectionState.MISCONFIGURED, reason=error.message)
        return
    if not isinstance(error, ConnectionLost) or present.state not in (
        ConnectionState.ACTIVE,
        ConnectionState.MISCONFIGURED,
    ):
        return
    with transaction.atomic():
        if set_state(present, ConnectionState.LOST, reason=error.message, erase_tokens=True):
            record_act("connection lost", domain=present.domain, connection=present, detail=error.detail)
            transaction.on_commit(lambda: connection_lost.send(sender=Connection, connection=present))
