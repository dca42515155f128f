"""Revoked in Outreach: one call finds out, and leaving goes on without another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import tasks
from integrations.disconnect.steps import continue_disconnect, finish_restoring
from integrations.errors import ConnectionLost
from integrations.gateway import open_gateway
from integrations.models import Connection, ConnectionState, DisconnectStep, RunState, SyncKind
from integrations.sync import runs
from tests.support.connections import get_acts, get_values
from tests.support.disconnects import assert_erased, get_state, leave

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]


def test_r3_revoked_in_outreach_one_call_finds_out_and_queued_work_ends_skipped(sandbox, connection, domain):
    queued = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    Connection.objects.filter(pk=connection.pk).update(
        refreshed_at=timezone.now() - timedelta(hours=3), access_expires_at=timezone.now()
    )
    sandbox.oauth.revoke_all()

    first = runs.carry_out(queued.pk)
    tasks.refresh_tokens()
    tasks.sync_changes()
    tasks.sweep_connections()

    assert first.state == RunState.SKIPPED
    assert [entry.path for entry in sandbox.requests] == ["/oauth/token"]
    assert get_values(connection)["state"] == ConnectionState.LOST
    assert get_acts(domain)[-1] == "connection lost"


def test_a_lost_connection_is_left_without_restoring_and_without_a_call(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(
        state=ConnectionState.LOST, access_sealed="", refresh_sealed=""
    )
    connection.refresh_from_db()

    leave(connection, restores=True)

    assert get_values(connection)["disconnect_restores"] is False
    assert continue_disconnect(connection.pk) is True
    assert sandbox.requests == []
    assert_erased(connection)


def test_a_connection_found_lost_while_it_leaves_goes_on_leaving(sandbox, connection):
    leave(connection, restores=True)
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=3))
    sandbox.oauth.revoke_all()

    with pytest.raises(ConnectionLost), open_gateway(connection, job="test", for_restoring=True) as gateway:
        gateway.read_mailboxes(["1"])

    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.RESTORING)
    finish_restoring(connection.pk, restored=0, conflicts=0, failed=1)
    assert continue_disconnect(connection.pk) is True  # and waits for no renewal that is over
    assert_erased(connection)
