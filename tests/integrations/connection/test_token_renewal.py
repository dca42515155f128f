"""Tokens: renewed once however many ask, stored before use, and lost by no kill."""

from __future__ import annotations

import hashlib
import json
import signal
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connection.sessions import open_session, renew_now
from integrations.connection.tokens import renew_tokens
from integrations.crypto.sealing import open_sealed
from integrations.errors import ConnectionLost, RateLimited, Unreachable
from integrations.models import Connection, ConnectionState
from integrations.outreach.oauth import TokenReply
from tests.support.connections import get_values
from tests.support.installation import wait_until
from tests.support.token_renewal import REFRESHERS, age, read_one

pytestmark = pytest.mark.soak


def access_token(connection):
    connection.refresh_from_db()
    return open_sealed(connection.access_sealed, bound_to=f"{connection.pk}:access")


def test_twenty_askers_in_four_processes_renew_once_a_round(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    installation.connect("bystander.example", sandbox.oauth.issue_tokens())
    bystander = "select token_version, refresh_sealed from integrations_connection where domain_id = 2"
    before = installation.rows(bystander)
    rounds = 3

    answers = json.loads(installation.run(REFRESHERS, str(rounds), timeout=120))

    assert answers == [["ok"] * 20] * rounds
    refreshes = [entry for entry in sandbox.requests if entry.path == "/oauth/token"]
    assert [entry.status for entry in refreshes] == [200] * rounds
    assert installation.rows("select token_version from integrations_connection where domain_id = 1") == [
        (1 + rounds,)
    ]
    assert installation.rows(bystander) == before


@pytest.mark.parametrize(
    ("trouble", "state", "error"),
    [("revoked", "lost", "ConnectionLost"), ("wrong secret", "misconfigured", "ClientMisconfigured")],
)
def test_of_twenty_askers_one_finds_out_that_the_access_is_refused(
    installation, sandbox, trouble, state, error
):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    if trouble == "revoked":
        sandbox.oauth.revoke_all()
    secret = "not-the-secret" if trouble == "wrong secret" else "sandbox-secret"

    [answers] = json.loads(installation.run(REFRESHERS, "1", timeout=120, OUTREACH_CLIENT_SECRET=secret))

    assert len(answers) == 20 and "ok" not in answers
    assert {answer.partition(":")[0] for answer in answers} == {error}
    assert [entry.path for entry in sandbox.requests] == ["/oauth/token"]
    assert installation.rows("select state, refresh_sealed <> '' from integrations_connection") == [
        (state, int(state == "misconfigured"))
    ]


def test_a_renewed_pair_is_stored_before_it_is_used(sandbox, connection, bystander):
    age(connection)
    before = get_values(bystander)
    read_one(connection)

    [used] = sandbox.requests.to("/api/v2/mailboxes")
    assert used.token == hashlib.sha256(access_token(connection).encode()).hexdigest()[:16]
    assert connection.token_version == 2
    assert get_values(bystander) == before


KILLED_AFTER_STORING = """
from integrations.connection import tokens
from integrations.models import Connection
import os, signal
row = Connection.objects.get(domain__name="acme.example")
from integrations.connection.sessions import renew_now, _get_refresher
from integrations.ledger.record import CallCollector
refresh = _get_refresher(CallCollector(row, job="test", actor_label=""))
watch = tokens.ConnectionWatch(row.pk, refresh=refresh)
watch.token()
os.kill(os.getpid(), signal.SIGKILL)  # the new token was handed out and not used once
"""


def test_a_kill_between_storing_and_using_loses_nothing(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    installation.rows(
        "update integrations_connection set refreshed_at='2026-01-01 00:00:00', access_expires_at='2026-01-01 00:00:00'"
    )

    process = installation.start_script(KILLED_AFTER_STORING)
    process.wait(30)
    sandbox.requests.clear()
    done = installation.manage("checkconnection", "--domain=acme.example")

    assert process.returncode == -signal.SIGKILL
    assert done.returncode == 0, done.stderr
    assert sandbox.requests.to("/oauth/token") == []
    assert all(entry.status == 200 for entry in sandbox.requests)


def test_a_kill_while_outreach_answers_heals_where_the_old_token_still_works(installation, sandbox):
    sandbox.settings.rotation = "lenient"
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    installation.rows(
        "update integrations_connection set refreshed_at='2026-01-01 00:00:00', access_expires_at='2026-01-01 00:00:00'"
    )
    sandbox.faults.add("slow", path="/oauth/token", seconds=5)

    process = installation.start("checkconnection", "--domain=acme.example")
    wait_until(lambda: sandbox.requests.to("/oauth/token"))
    process.kill()
    process.wait()
    # The claim it left lapses by itself; the clock is moved instead of waiting.
    installation.rows("update integrations_connection set refresh_started_at='2026-01-01 00:00:00'")
    done = installation.manage("checkconnection", "--domain=acme.example")

    assert done.returncode == 0, done.stderr + done.stdout


def test_a_lost_answer_with_strict_rotation_ends_in_one_clean_reconnect(sandbox, connection, bystander):
    age(connection)
    before = get_values(bystander)
    sandbox.faults.add("lost", path="/oauth/token")

    with pytest.raises(Unreachable):
        read_one(connection)
    with pytest.raises(ConnectionLost):
        read_one(connection)
    with pytest.raises(ConnectionLost):
        read_one(connection)

    connection.refresh_from_db()
    assert (connection.state, connection.refresh_sealed) == (ConnectionState.LOST, "")
    assert [entry.path for entry in sandbox.requests] == ["/oauth/token"] * 2
    assert get_values(bystander) == before


def test_whoever_comes_late_stores_nothing_over_a_newer_pair(sandbox, connection, owner, connect, domain):
    age(connection)

    def stalled(refresh_token):
        connect(domain, owner)  # somebody reconnected while we waited for the answer
        return TokenReply("late-access-token", "late-refresh-token", 7200, None, None)

    renew_tokens(connection.pk, version=connection.token_version, refresh=stalled)

    stored = access_token(connection)
    assert stored.startswith("sandbox-at-")
    assert connection.token_version == 2


def test_a_late_answer_brings_no_token_into_a_connection_that_ended(sandbox, connection):
    age(connection)

    def stalled(refresh_token):
        Connection.objects.filter(pk=connection.pk).update(
            state=ConnectionState.DISCONNECTED, access_sealed="", refresh_sealed=""
        )
        return TokenReply("late-access-token", "late-refresh-token", 7200, None, None)

    renew_tokens(connection.pk, version=connection.token_version, refresh=stalled)

    connection.refresh_from_db()
    assert (connection.access_sealed, connection.refresh_sealed) == ("", "")


def test_an_old_pair_that_fails_does_not_end_a_connection_that_was_renewed_meanwhile(
    sandbox, connection, owner, connect, domain
):
    age(connection)
    Connection.objects.filter(pk=connection.pk).update(access_expires_at=timezone.now() + timedelta(hours=1))

    with pytest.raises(ConnectionLost), open_session(connection, job="test") as session:
        next(iter(session.connector.list_teams()))
        connect(domain, owner)  # a person reconnects, beside the job that works with the old pair
        raise ConnectionLost("Outreach no longer accepts our access.")

    connection.refresh_from_db()
    assert connection.state == ConnectionState.ACTIVE
    assert read_one(connection)


def test_a_token_is_not_minted_twice_in_a_minute(sandbox, connection):
    sandbox.settings.access_seconds = 1
    age(connection)

    renew_now(connection, job="test")
    with pytest.raises(RateLimited) as limited:
        renew_now(connection, job="test")

    assert 1 <= limited.value.retry_after_seconds <= 60
    assert len(sandbox.requests.to("/oauth/token")) == 1


def test_a_token_that_lives_a_minute_is_used_while_it_lives(sandbox, connection):
    sandbox.settings.access_seconds = 60
    age(connection)

    read_one(connection)
    read_one(connection)

    assert len(sandbox.requests.to("/oauth/token")) == 1
