"""Afterwards not one request, whoever asks and whatever was under way; connecting again is a new row."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from integrations import lookup, tasks
from integrations.connection.lifecycle import check_connection
from integrations.connection.sessions import renew_now
from integrations.disconnect.steps import DisconnectRefused, continue_disconnect, request_disconnect
from integrations.errors import ConnectionLost
from integrations.gateway import open_gateway
from integrations.models import Connection, RunState, SyncKind
from integrations.sync import runs
from integrations.sync.one_person import read_mailboxes
from tests.support.connections import get_values
from tests.support.disconnects import LEAVER, assert_erased, leave
from tests.support.installation import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]


def test_r6_afterwards_nothing_calls_outreach(sandbox, connection, domain, owner, client):
    queued = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    stale = Connection.objects.get(pk=connection.pk)
    leave(connection)
    continue_disconnect(connection.pk)
    sandbox.requests.clear()

    runs.carry_out(queued.pk)
    for refused in (
        lambda: runs.request_sync(Connection.objects.get(pk=connection.pk), kind=SyncKind.FULL, actor="test"),
        lambda: call_command("syncdirectory", domain=domain.name),
        lambda: call_command("checkconnection", domain=domain.name),
        lambda: read_mailboxes(stale, "1", job="test"),
        lambda: lookup.find_prospect(stale, "somebody@example.com", asked=(), job="test"),
        lambda: renew_now(stale, job="test"),
        lambda: request_disconnect(stale, restores=True, actor="test"),
    ):
        with pytest.raises((runs.SyncRefused, CommandError, ConnectionLost, DisconnectRefused)):
            refused()
    for restoring in (True, False):
        with (
            pytest.raises(ConnectionLost),
            open_gateway(stale, job="test", for_restoring=restoring) as gateway,
        ):
            gateway.publish_signature("1", "<p>ours</p>")
    assert not check_connection(stale, actor="test").is_ok
    for task in (tasks.sync_changes, tasks.sync_everything, tasks.refresh_tokens, tasks.sweep_connections):
        task()
    tasks.continue_disconnect(connection_id=str(connection.pk))
    client.force_login(owner)
    for name in ("outreach", "outreach_progress", "runs", "ledger"):
        assert client.get(reverse(f"integrations:{name}", args=[domain.name])).status_code == 200
    for name in (
        "outreach_check",
        "outreach_pause",
        "outreach_resume",
        "outreach_mode",
        "outreach_disconnect",
    ):
        assert client.post(reverse(f"integrations:{name}", args=[domain.name])).status_code == 404
    client.post(reverse("integrations:sync_now", args=[domain.name]), {"kind": "full"})

    queued.refresh_from_db()
    assert queued.state == RunState.SKIPPED
    assert sandbox.requests == []  # the bystander was never synced and is not due for renewal
    assert_erased(connection)


READER = """
from integrations.models import Connection
from integrations.connection.sessions import open_session
row = Connection.objects.get(domain__name="acme.example")
try:
    with open_session(row, job="reader") as session:
        while True:
            session.connector.read_mailboxes(["1"])
except Exception as error:
    print(type(error).__name__)
"""


def test_r6_a_process_at_work_begins_no_call_once_the_tokens_are_revoked(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    reader = installation.start_script(READER)
    wait_until(lambda: len(sandbox.requests) > 5, seconds=30)

    installation.run(LEAVER)
    output, _ = reader.communicate(timeout=30)

    paths = [entry.path for entry in sandbox.requests]
    assert paths[-2:] == ["/oauth/revoke", "/api/v2/users"] and paths.count("/oauth/revoke") == 1
    assert output.strip().splitlines()[-1] == "ConnectionLost"
    assert {entry.status for entry in sandbox.requests[:-1]} == {200}
    assert sandbox.requests[-1].status == 401  # the leaver's own, with the revoked token


def test_connecting_again_afterwards_makes_a_row_of_its_own(trip, sandbox, domain):
    trip.walk()
    first = Connection.objects.get(domain=domain)
    leave(first)
    continue_disconnect(first.pk)
    ended = get_values(first)
    sandbox.directory.update("users", 1, user_guid="another-organisation")

    response = trip.walk()

    assert response.status_code == 302
    assert domain.connections.count() == 2
    assert get_values(first) == ended
