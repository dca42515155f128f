"""What the tests of leaving share: asking for it, where a connection stands, and what erased means."""

from __future__ import annotations

from typing import Any

from django_q.models import OrmQ

from integrations.disconnect.steps import request_disconnect
from integrations.models import Connection, ConnectionState, DisconnectStep
from tests.support.connections import get_values

TOKEN_COLUMNS = ("access_sealed", "refresh_sealed", "access_expires_at", "refresh_started_at")
LEAVER = """
from integrations.models import Connection
from integrations.disconnect.steps import request_disconnect, continue_disconnect
row = Connection.objects.get(domain__name="acme.example")
request_disconnect(row, restores=False, actor="test")
assert continue_disconnect(row.pk)
"""


def leave(connection: Connection, *, restores: bool = False) -> Connection:
    return request_disconnect(connection, restores=restores, actor="dana@acme.example")


def get_state(connection: Connection) -> tuple[str, str]:
    found = get_values(connection)
    return found["state"], found["disconnect_step"]


def get_queue() -> list[tuple[str, dict[str, Any]]]:
    return [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.order_by("id")]


def assert_erased(connection: Connection) -> None:
    found = get_values(connection)
    assert [found[column] for column in TOKEN_COLUMNS] == ["", "", None, None]
    assert get_state(connection) == (ConnectionState.DISCONNECTED, DisconnectStep.ERASED)
