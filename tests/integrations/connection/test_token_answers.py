"""What each answer means for the tokens: a 401, a 403, a refused grant, a refused client, and trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations import tasks
from integrations.connection.lifecycle import check_connection
from integrations.errors import ClientMisconfigured, RateLimited, Unreachable
from integrations.models import Connection, ConnectionState, RunState
from integrations.sync import runs
from tests.support.connections import get_values
from tests.support.sync_runs import run_sync
from tests.support.token_renewal import age, read_one


def test_a_401_in_mid_sync_is_renewed_once_and_repeated_once(sandbox, connection, bystander):
    before = get_values(bystander)
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    sandbox.faults.add("unauthorized", path="/api/v2/users")

    run = run_sync(connection)

    assert (run.state, run.cause) == (RunState.COMPLETE, "")
    assert [(e.path, e.status) for e in sandbox.requests] == [
        ("/api/v2/teams", 200),
        ("/api/v2/users", 401),
        ("/oauth/token", 200),
        ("/api/v2/users", 200),
        ("/api/v2/mailboxes", 200),
    ]
    assert get_values(bystander) == before


def test_a_403_renews_nothing(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    sandbox.faults.add("forbidden", path="/api/v2/users", times=None)

    run = run_sync(connection)

    assert run.state == RunState.FAILED
    assert "governance profile" in run.cause
    assert sandbox.requests.to("/oauth/token") == []
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE


def test_a_second_401_ends_the_run_after_one_renewal_and_keeps_the_connection(sandbox, connection, bystander):
    before = get_values(bystander)
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    sandbox.faults.add("unauthorized", path="/api/v2/*", times=None)

    run = run_sync(connection)
    asked = [e.path for e in sandbox.requests]
    sandbox.faults.clear()
    again = runs.carry_out(run.pk)

    assert run.state == RunState.WAITING
    assert "only just issued" in run.cause
    assert asked == ["/api/v2/teams", "/oauth/token", "/api/v2/teams"]
    assert again.state == RunState.COMPLETE
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE
    assert get_values(bystander) == before


def test_invalid_grant_ends_the_connection_and_erases_its_tokens(sandbox, connection, bystander):
    age(connection)
    before = get_values(bystander)
    sandbox.oauth.revoke_all()

    run = run_sync(connection)
    connection.refresh_from_db()
    with pytest.raises(runs.SyncRefused):
        run_sync(connection)

    assert run.state == RunState.SKIPPED
    assert (connection.state, connection.refresh_sealed) == (ConnectionState.LOST, "")
    assert "Reconnect" in connection.state_reason
    assert [e.path for e in sandbox.requests] == ["/oauth/token"]
    assert get_values(bystander) == before


def test_invalid_client_keeps_the_tokens_and_names_the_operator(sandbox, connection, bystander, settings):
    age(connection)
    before, other = get_values(connection), get_values(bystander)
    right, settings.OUTREACH_CLIENT_SECRET = settings.OUTREACH_CLIENT_SECRET, "not-the-secret"

    run = run_sync(connection)

    now = get_values(connection)
    assert (run.state, now["state"]) == (RunState.FAILED, ConnectionState.MISCONFIGURED)
    assert "OUTREACH_CLIENT_SECRET" in now["state_reason"]
    assert (now["access_sealed"], now["refresh_sealed"]) == (
        before["access_sealed"],
        before["refresh_sealed"],
    )
    assert [e.path for e in sandbox.requests] == ["/oauth/token"]
    assert get_values(bystander) == other

    settings.OUTREACH_CLIENT_SECRET = right
    connection.refresh_from_db()
    health = check_connection(connection, actor="owner@acme.example")

    assert health.is_ok, health.sentence
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE


def test_whoever_comes_to_a_misconfigured_connection_erases_nothing(sandbox, connection, settings):
    age(connection)
    settings.OUTREACH_CLIENT_SECRET = "not-the-secret"
    with pytest.raises(ClientMisconfigured):
        read_one(connection)
    before = get_values(connection)

    for _ in range(2):
        with pytest.raises(ClientMisconfigured, match="OUTREACH_CLIENT_SECRET"):
            read_one(connection)

    assert get_values(connection) == before
    assert before["state"] == ConnectionState.MISCONFIGURED and before["refresh_sealed"]
    assert len(sandbox.requests) == 1


def test_a_misconfigured_connection_heals_with_the_daily_renewal(sandbox, connection, settings):
    age(connection, hours=21)
    right, settings.OUTREACH_CLIENT_SECRET = settings.OUTREACH_CLIENT_SECRET, "not-the-secret"
    tasks.refresh_tokens()
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.MISCONFIGURED

    settings.OUTREACH_CLIENT_SECRET = right
    tasks.refresh_tokens()

    found = Connection.objects.get(pk=connection.pk)
    assert (found.state, found.state_reason, found.token_version) == (ConnectionState.ACTIVE, "", 2)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("status", {"status": 500}, Unreachable),
        ("bad_gateway", {}, Unreachable),
        ("unavailable", {}, Unreachable),
        ("retry_later", {}, RateLimited),
        ("reset", {}, Unreachable),
    ],
)
def test_trouble_at_the_token_endpoint_changes_nothing(sandbox, connection, kind, options, error):
    age(connection)
    before = get_values(connection)
    sandbox.faults.add(kind, path="/oauth/token", **options)

    with pytest.raises(error):
        read_one(connection)

    assert [entry.path for entry in sandbox.requests] == [
        "/oauth/token"
    ]  # and not once for each smaller page
    assert get_values(connection) == before  # and the claim to renew is free again
    assert read_one(connection)
