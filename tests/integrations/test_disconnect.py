"""Leaving: restoring, revoking, erasing, in that order; resumable after a kill, and then not one request."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import disconnect, lookup, sync, tasks
from integrations.connections import check_connection
from integrations.disconnect import (
    DisconnectRefused,
    continue_disconnect,
    finish_restoring,
    request_disconnect,
)
from integrations.errors import ConnectionLost
from integrations.gateway import open_gateway
from integrations.models import Connection, ConnectionState, DisconnectStep, LedgerEntry, RunState, SyncKind
from integrations.sessions import renew_now
from tests.installation import wait_until

from .conftest import get_acts, get_values, words_of

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN_COLUMNS = ("access_sealed", "refresh_sealed", "access_expires_at", "refresh_started_at")


@pytest.fixture(autouse=True)
def unchanged_bystander(bystander, monkeypatch):
    # One process alone has nobody to wait for; the processes below wait as they do in production.
    monkeypatch.setattr("integrations.disconnect.SEEN_AFTER_SECONDS", 0)
    before = get_values(bystander)
    yield
    assert get_values(bystander) == before


def leave(connection, *, restores=False):
    return request_disconnect(connection, restores=restores, by_label="dana@acme.example")


def get_state(connection):
    found = get_values(connection)
    return found["state"], found["disconnect_step"]


def get_queue():
    return [(row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.order_by("id")]


def assert_erased(connection):
    found = get_values(connection)
    assert [found[column] for column in TOKEN_COLUMNS] == ["", "", None, None]
    assert get_state(connection) == (ConnectionState.DISCONNECTED, DisconnectStep.ERASED)


# ── without restoring ────────────────────────────────────────────────────────────────────────────


def test_leaving_revokes_at_outreach_and_then_erases(sandbox, connection, domain):
    leave(connection)
    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.REVOKING)
    assert get_values(connection)["refresh_sealed"]
    assert get_queue() == [("integrations.tasks.continue_disconnect", {"connection_id": str(connection.pk)})]

    assert continue_disconnect(connection.pk) is True

    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is True
    assert [(e.method, e.path, e.status) for e in sandbox.requests] == [("POST", "/oauth/revoke", 200)]
    assert sandbox.oauth.live_refresh_tokens == 1  # the bystander's
    assert get_acts(domain) == ["connected", "disconnect requested", "disconnected"]
    last = LedgerEntry.objects.filter(domain=domain, action="disconnected").get()
    assert (last.actor_label, "confirmed by Outreach" in last.detail) == ("dana@acme.example", True)


@pytest.mark.parametrize("status", [404, 403, 400])
def test_r4_an_outreach_without_revocation_is_left_at_once_and_said_so(
    sandbox, connection, owner, client, status
):
    sandbox.settings.revoke_status = status
    leave(connection)

    assert continue_disconnect(connection.pk) is True

    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is False
    client.force_login(owner)
    page = client.get(reverse("integrations:outreach", args=[connection.domain.name]))
    assert "not confirmed by Outreach" in words_of(page)


@pytest.mark.parametrize("trouble", ["503", "reset", "429"])
def test_r4_an_outreach_that_cannot_be_asked_is_asked_for_five_minutes(sandbox, connection, trouble):
    kind = {"503": "unavailable", "reset": "reset", "429": "retry_later"}[trouble]
    sandbox.faults.add(kind, path="/oauth/revoke", times=None)
    leave(connection)

    first = continue_disconnect(connection.pk)
    held = get_values(connection)
    at_once = continue_disconnect(connection.pk)  # the lease: no hammering
    Connection.objects.filter(pk=connection.pk).update(
        disconnect_lease_until=None, state_changed_at=timezone.now() - timedelta(minutes=4, seconds=50)
    )
    later = continue_disconnect(connection.pk)
    still_held = get_values(connection)["refresh_sealed"]
    Connection.objects.filter(pk=connection.pk).update(
        disconnect_lease_until=None, state_changed_at=timezone.now() - timedelta(minutes=5, seconds=1)
    )
    last = continue_disconnect(connection.pk)

    assert (first, at_once, later, last) == (False, False, False, True)
    assert held["refresh_sealed"] == still_held != ""
    assert len(sandbox.requests.to("/oauth/revoke")) == 3
    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is False


def test_a_wrong_client_secret_does_not_keep_anybody(sandbox, connection, settings):
    settings.OUTREACH_CLIENT_SECRET = "not-the-secret"
    leave(connection)

    assert continue_disconnect(connection.pk) is True
    assert_erased(connection)


def test_tokens_sealed_with_a_lost_key_are_erased_without_a_call(sandbox, connection, settings):
    settings.TOKEN_KEYS = ["YW5vdGhlcmtleWFub3RoZXJrZXlhbm90aGVya2V5YW4="]
    leave(connection)

    assert continue_disconnect(connection.pk) is True
    assert_erased(connection)
    assert sandbox.requests == []


# ── afterwards not one request ───────────────────────────────────────────────────────────────────


def test_r6_afterwards_nothing_calls_outreach(sandbox, connection, domain, owner, client):
    queued = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    stale = Connection.objects.get(pk=connection.pk)
    leave(connection)
    continue_disconnect(connection.pk)
    sandbox.requests.clear()

    sync.carry_out(queued.pk)
    for refused in (
        lambda: sync.request_sync(
            Connection.objects.get(pk=connection.pk), kind=SyncKind.FULL, by_label="test"
        ),
        lambda: call_command("syncdirectory", domain=domain.name),
        lambda: call_command("checkconnection", domain=domain.name),
        lambda: lookup.read_signature(stale, person_remote_id="1", mailbox_remote_id="1", job="test"),
        lambda: lookup.find_prospect(stale, "somebody@example.com", job="test"),
        lambda: renew_now(stale, job="test"),
        lambda: request_disconnect(stale, restores=True, by_label="test"),
    ):
        with pytest.raises((sync.SyncRefused, CommandError, ConnectionLost, DisconnectRefused)):
            refused()
    for restoring in (True, False):
        with (
            pytest.raises(ConnectionLost),
            open_gateway(stale, job="test", for_restoring=restoring) as gateway,
        ):
            gateway.publish_signature("1", "<p>ours</p>")
    assert not check_connection(stale, by_label="test").is_ok
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
from integrations.sessions import open_session
row = Connection.objects.get(domain__name="acme.example")
try:
    with open_session(row, job="reader") as session:
        while True:
            session.connector.read_mailboxes(["1"])
except Exception as error:
    print(type(error).__name__)
"""
LEAVER = """
from integrations.models import Connection
from integrations.disconnect import request_disconnect, continue_disconnect
row = Connection.objects.get(domain__name="acme.example")
request_disconnect(row, restores=False, by_label="test")
assert continue_disconnect(row.pk)
"""


def test_r6_a_process_at_work_begins_no_call_once_the_tokens_are_revoked(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    reader = installation.start_script(READER)
    wait_until(lambda: len(sandbox.requests) > 5, seconds=30)

    installation.run(LEAVER)
    output, _ = reader.communicate(timeout=30)

    paths = [entry.path for entry in sandbox.requests]
    assert paths[-1] == "/oauth/revoke" and paths.count("/oauth/revoke") == 1
    assert output.strip().splitlines()[-1] == "ConnectionLost"
    assert {entry.status for entry in sandbox.requests} == {200}


def test_a_renewal_under_way_is_waited_for(sandbox, connection):
    leave(connection)
    Connection.objects.filter(pk=connection.pk).update(refresh_started_at=timezone.now())

    assert continue_disconnect(connection.pk) is False
    assert (sandbox.requests, get_state(connection)) == (
        [],
        (ConnectionState.DISCONNECTING, DisconnectStep.REVOKING),
    )

    Connection.objects.filter(pk=connection.pk).update(
        refresh_started_at=timezone.now() - timedelta(minutes=1), disconnect_lease_until=None
    )
    assert continue_disconnect(connection.pk) is True


def test_a_sync_under_way_is_waited_for_and_one_that_was_killed_is_not(sandbox, connection):
    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    connection.sync_runs.update(state=RunState.RUNNING, lease_until=timezone.now() + timedelta(minutes=1))
    leave(connection)

    waited = continue_disconnect(connection.pk)
    connection.sync_runs.update(lease_until=timezone.now() - timedelta(seconds=1))
    Connection.objects.filter(pk=connection.pk).update(disconnect_lease_until=None)
    went = continue_disconnect(connection.pk)
    tasks.sweep_connections()

    run.refresh_from_db()
    assert (waited, went, run.state) == (False, True, RunState.INTERRUPTED)
    assert connection.sync_runs.count() == 1  # nothing was started in its place


# ── one at a time, and resumed ───────────────────────────────────────────────────────────────────


def test_a_second_request_is_refused_and_changes_nothing(sandbox, connection):
    leave(connection)
    before = get_values(connection)

    with pytest.raises(DisconnectRefused):
        leave(connection, restores=True)
    connection.refresh_from_db()
    with pytest.raises(sync.SyncRefused):
        sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")

    assert get_values(connection) == before


def test_a_request_that_is_rolled_back_wakes_nobody(sandbox, connection):
    before = get_values(connection)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        leave(connection)
        raise ZeroDivisionError

    assert (get_values(connection), get_queue()) == (before, [])


def test_r2_the_sweep_finds_a_leaving_connection_whose_task_was_lost(sandbox, connection):
    leave(connection)
    OrmQ.objects.all().delete()

    tasks.sweep_connections()

    assert get_queue() == [("integrations.tasks.continue_disconnect", {"connection_id": str(connection.pk)})]


def test_r2_told_twice_that_restoring_ended_is_told_once(sandbox, connection, domain):
    leave(connection, restores=True)
    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.RESTORING)
    assert continue_disconnect(connection.pk) is False  # not before the originals are back
    assert sandbox.requests == []

    for _ in range(2):
        finish_restoring(connection.pk, restored=3, conflicts=1, failed=0)

    assert get_state(connection)[1] == DisconnectStep.REVOKING
    entries = LedgerEntry.objects.filter(domain=domain, action="originals restored")
    assert [entry.detail for entry in entries] == ["3 restored, 1 edited since and left, 0 failed"]
    assert continue_disconnect(connection.pk) is True
    finish_restoring(connection.pk, restored=9, conflicts=9, failed=9)
    assert_erased(connection)
    assert entries.count() == 1


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_r2_killed_while_revoking_it_resumes_and_erases_last(installation, sandbox, when):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    if when == "before the answer":
        sandbox.faults.add("slow", path="/oauth/revoke", seconds=5)
        script = LEAVER
    else:
        script = (
            """
import os, signal
from integrations import disconnect
disconnect._erase = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
"""
            + LEAVER
        )
    process = installation.start_script(script)
    wait_until(lambda: sandbox.requests.to("/oauth/revoke"), seconds=30)
    if when == "before the answer":
        process.send_signal(signal.SIGKILL)
    process.wait(20)
    half = installation.rows(
        "select state, disconnect_step, refresh_sealed <> '' from integrations_connection"
    )
    installation.rows("update integrations_connection set disconnect_lease_until='2026-01-01 00:00:00'")

    installation.run("""
from integrations.models import Connection
from integrations.tasks import continue_disconnect, sweep_connections
from django_q.models import OrmQ
sweep_connections()
continue_disconnect(**OrmQ.objects.last().task["kwargs"])
""")

    assert process.returncode == -signal.SIGKILL
    assert half == [("disconnecting", "revoking", 1)]
    assert installation.rows(
        "select state, access_sealed, refresh_sealed, revocation_confirmed from integrations_connection"
    ) == [("disconnected", "", "", 1)]


# ── revoked in Outreach ──────────────────────────────────────────────────────────────────────────


def test_r3_revoked_in_outreach_one_call_finds_out_and_queued_work_ends_skipped(sandbox, connection, domain):
    queued = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    Connection.objects.filter(pk=connection.pk).update(
        refreshed_at=timezone.now() - timedelta(hours=3), access_expires_at=timezone.now()
    )
    sandbox.oauth.revoke_all()

    first = sync.carry_out(queued.pk)
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


# ── through the pages ────────────────────────────────────────────────────────────────────────────


def test_the_page_leaves_in_one_of_two_ways_and_needs_a_choice(client, sandbox, connection, domain, owner):
    client.force_login(owner)
    page = reverse("integrations:outreach_disconnect", args=[domain.name])

    shown, unchosen = client.get(page), client.post(page)
    assert (shown.status_code, unchosen.status_code) == (200, 200)
    assert get_values(connection)["state"] == ConnectionState.ACTIVE

    client.post(page, {"restores": "1"})
    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.RESTORING)
    assert get_queue() == [("signatures.tasks.restore_signatures", {"connection_id": str(connection.pk)})]
    before = get_values(connection)
    client.post(page, {"restores": "0"})
    assert get_values(connection) == before


def test_the_lease_lets_two_workers_revoke_once(sandbox, connection):
    leave(connection)
    now = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(disconnect_lease_until=now + disconnect.LEASE)

    assert continue_disconnect(connection.pk) is False
    assert sandbox.requests == []
