"""What leaving waits for, that it happens once, and that a kill or a lost task only delays it."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from integrations.disconnect import steps
from integrations.disconnect.steps import continue_disconnect, finish_restoring
from integrations.models import Connection, ConnectionState, DisconnectStep, LedgerEntry, RunState, SyncKind
from integrations.sync import runs
from tests.support.disconnects import LEAVER, assert_erased, get_queue, get_state, leave
from tests.support.installation import wait_until

pytestmark = [
    pytest.mark.soak,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]


# ── what it waits for ────────────────────────────────────────────────────────────────────────────


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
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
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


def test_the_lease_lets_two_workers_revoke_once(sandbox, connection):
    leave(connection)
    now = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(disconnect_lease_until=now + steps.LEASE)

    assert continue_disconnect(connection.pk) is False
    assert sandbox.requests == []


# ── resumed, and once ────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("when", ["before the answer", "after the answer", "after the call that shows it"])
def test_r2_killed_while_revoking_it_resumes_and_erases_last(installation, sandbox, when):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    if when == "before the answer":
        sandbox.faults.add("slow", path="/oauth/revoke", seconds=5)
        script = LEAVER
    else:
        step = "_call_afterwards" if when == "after the answer" else "_erase"
        script = (
            f"""
import os, signal
from integrations.disconnect import steps as disconnect
disconnect.{step} = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
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
    assert installation.rows("select count(*) from integrations_receipt") == [(1,)]
