"""Tokens: renewed once however many ask, stored before use, kept through trouble, and shown to nobody."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import lookup, sync, tasks
from integrations.connections import check_connection
from integrations.errors import ClientMisconfigured, ConnectionLost, RateLimited, Unreachable
from integrations.models import Connection, ConnectionState, LedgerEntry, RunState, SyncKind
from integrations.outreach.oauth import TokenReply
from integrations.sealing import open_sealed
from integrations.sessions import open_session, renew_now
from integrations.tokens import renew_tokens
from tests.installation import wait_until

from .conftest import get_values

DAY = 24 * 3600


def age(connection, **since):
    """The pair was stored this long ago, so that it may be renewed; its access token has run out."""
    Connection.objects.filter(pk=connection.pk).update(
        refreshed_at=timezone.now() - timedelta(**(since or {"hours": 3})),
        access_expires_at=timezone.now() - timedelta(minutes=1),
    )
    connection.refresh_from_db()


def read_one(connection):
    """One read leaves and is answered, or it raises."""
    lookup.read_signature(connection, person_remote_id="1", mailbox_remote_id="1", job="test")
    return True


def run_sync(connection, kind=SyncKind.FULL):
    return sync.carry_out(sync.request_sync(connection, kind=kind, by_label="test").pk)


def access_token(connection):
    connection.refresh_from_db()
    return open_sealed(connection.access_sealed, bound_to=f"{connection.pk}:access")


# ── one refresher ────────────────────────────────────────────────────────────────────────────────

REFRESHERS = """
import json, multiprocessing, threading
from integrations.models import Connection
from integrations.lookup import read_signature
from django.db import connections

def ask(found):
    try:
        row = Connection.objects.get(domain__name="acme.example")
        read_signature(row, person_remote_id="1", mailbox_remote_id="1", job="test")
        found.append("ok")
    except Exception as error:
        found.append(type(error).__name__ + ": " + str(error))
    finally:
        connections["default"].close()

def work(barrier, answers):
    connections["default"].close()
    barrier.wait()
    found = []
    threads = [threading.Thread(target=ask, args=(found,)) for _ in range(5)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    answers.put(found)

context = multiprocessing.get_context("fork")
everything = []
for _ in range(int(sys.argv[1])):
    from django.utils import timezone
    from datetime import timedelta
    Connection.objects.filter(domain__name="acme.example").update(
        refreshed_at=timezone.now() - timedelta(hours=3), access_expires_at=timezone.now())
    connections["default"].close()
    barrier, answers = context.Barrier(4), context.Queue()
    workers = [context.Process(target=work, args=(barrier, answers)) for _ in range(4)]
    for worker in workers: worker.start()
    everything.append(sum((answers.get(timeout=60) for _ in workers), []))
    for worker in workers: worker.join()
print(json.dumps(everything))
"""


def test_t1_twenty_askers_in_four_processes_renew_once_a_round(installation, sandbox):
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
def test_t6_of_twenty_askers_one_finds_out_that_the_access_is_refused(
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
from integrations import tokens
from integrations.models import Connection
import os, signal
row = Connection.objects.get(domain__name="acme.example")
from integrations.sessions import renew_now, _get_refresher
from integrations.ledger import CallCollector
refresh = _get_refresher(row, CallCollector(row, job="test", actor_label=""))
watch = tokens.ConnectionWatch(row.pk, refresh=refresh)
watch.token()
os.kill(os.getpid(), signal.SIGKILL)  # the new token was handed out and not used once
"""


def test_t3_a_kill_between_storing_and_using_loses_nothing(installation, sandbox):
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


def test_t3_a_kill_while_outreach_answers_heals_where_the_old_token_still_works(installation, sandbox):
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


def test_t4_a_lost_answer_with_strict_rotation_ends_in_one_clean_reconnect(sandbox, connection, bystander):
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


def test_t2_whoever_comes_late_stores_nothing_over_a_newer_pair(sandbox, connection, owner, connect, domain):
    age(connection)

    def stalled(refresh_token):
        connect(domain, owner)  # somebody reconnected while we waited for the answer
        return TokenReply("late-access-token", "late-refresh-token", 7200, None, None)

    renew_tokens(connection.pk, version=connection.token_version, refresh=stalled)

    stored = access_token(connection)
    assert stored.startswith("sandbox-at-")
    assert connection.token_version == 2


def test_t2_a_late_answer_brings_no_token_into_a_connection_that_ended(sandbox, connection):
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


# ── T5, T6: what each answer means ───────────────────────────────────────────────────────────────


def test_t5_a_401_in_mid_sync_is_renewed_once_and_repeated_once(sandbox, connection, bystander):
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


def test_t5_a_403_renews_nothing(sandbox, connection):
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    sandbox.faults.add("forbidden", path="/api/v2/users", times=None)

    run = run_sync(connection)

    assert run.state == RunState.FAILED
    assert "governance profile" in run.cause
    assert sandbox.requests.to("/oauth/token") == []
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE


def test_t5_a_second_401_ends_the_run_after_one_renewal_and_keeps_the_connection(
    sandbox, connection, bystander
):
    before = get_values(bystander)
    Connection.objects.filter(pk=connection.pk).update(refreshed_at=timezone.now() - timedelta(hours=1))
    sandbox.faults.add("unauthorized", path="/api/v2/*", times=None)

    run = run_sync(connection)
    asked = [e.path for e in sandbox.requests]
    sandbox.faults.clear()
    again = run_sync(connection)

    assert run.state == RunState.FAILED
    assert "only just issued" in run.cause
    assert asked == ["/api/v2/teams", "/oauth/token", "/api/v2/teams"]
    assert again.state == RunState.COMPLETE
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE
    assert get_values(bystander) == before


def test_t6_invalid_grant_ends_the_connection_and_erases_its_tokens(sandbox, connection, bystander):
    age(connection)
    before = get_values(bystander)
    sandbox.oauth.revoke_all()

    run = run_sync(connection)
    connection.refresh_from_db()
    with pytest.raises(sync.SyncRefused):
        run_sync(connection)

    assert run.state == RunState.SKIPPED
    assert (connection.state, connection.refresh_sealed) == (ConnectionState.LOST, "")
    assert "Reconnect" in connection.state_reason
    assert [e.path for e in sandbox.requests] == ["/oauth/token"]
    assert get_values(bystander) == before


def test_t6_invalid_client_keeps_the_tokens_and_names_the_operator(sandbox, connection, bystander, settings):
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
    health = check_connection(connection, by_label="owner@acme.example")

    assert health.is_ok, health.sentence
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.ACTIVE


def test_t6_whoever_comes_to_a_misconfigured_connection_erases_nothing(sandbox, connection, settings):
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


def test_t6_a_misconfigured_connection_heals_with_the_daily_renewal(sandbox, connection, settings):
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
def test_t6_trouble_at_the_token_endpoint_changes_nothing(sandbox, connection, kind, options, error):
    age(connection)
    before = get_values(connection)
    sandbox.faults.add(kind, path="/oauth/token", **options)

    with pytest.raises(error):
        read_one(connection)

    assert get_values(connection) == before  # and the claim to renew is free again
    assert read_one(connection)


def test_t7_a_token_is_not_minted_twice_in_a_minute(sandbox, connection):
    sandbox.settings.access_seconds = 1
    age(connection)

    renew_now(connection, job="test")
    with pytest.raises(RateLimited) as limited:
        renew_now(connection, job="test")

    assert 1 <= limited.value.retry_after_seconds <= 60
    assert len(sandbox.requests.to("/oauth/token")) == 1


def test_t7_a_token_that_lives_a_minute_is_used_while_it_lives(sandbox, connection):
    sandbox.settings.access_seconds = 60
    age(connection)

    read_one(connection)
    read_one(connection)

    assert len(sandbox.requests.to("/oauth/token")) == 1


# ── T8: fourteen days ────────────────────────────────────────────────────────────────────────────


def test_t8_a_daily_renewal_keeps_an_idle_connection_alive(sandbox, connection, bystander):
    for _ in range(20):
        sandbox.clock.advance(DAY)
        for each in (connection, bystander):
            age(each, days=1)
        tasks.refresh_tokens()

    assert read_one(Connection.objects.get(pk=connection.pk))
    assert Connection.objects.get(pk=connection.pk).token_version == 21
    assert len(sandbox.requests.to("/oauth/token")) == 40


def test_t8_what_was_renewed_lately_is_left_alone(sandbox, connection, bystander):
    age(connection, hours=21)
    before = get_values(bystander)

    tasks.refresh_tokens()
    tasks.refresh_tokens()

    assert len(sandbox.requests.to("/oauth/token")) == 1
    assert get_values(bystander) == before


def test_t8_after_fifteen_days_the_connection_is_lost_and_reconnects_with_its_settings(trip, sandbox, domain):
    trip.walk()
    found = Connection.objects.get(domain=domain)
    trip.client.post(reverse("integrations:outreach_mode", args=[domain.name]), {"mode": "dry_run"})
    sandbox.clock.advance(15 * DAY)
    age(found, days=15)

    tasks.refresh_tokens()
    lost = get_values(found)
    trip.walk()

    again = get_values(found)
    assert (lost["state"], lost["refresh_sealed"], lost["mode"]) == (ConnectionState.LOST, "", "dry_run")
    assert (again["state"], again["mode"], again["state_reason"]) == (ConnectionState.ACTIVE, "dry_run", "")
    assert read_one(Connection.objects.get(pk=found.pk))


# ── shown to nobody ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_i8_no_token_is_in_a_log_a_page_the_ledger_the_queue_or_an_error(
    trip, sandbox, domain, owner, caplog, capsys
):
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    trip.walk()
    found = Connection.objects.get(domain=domain)
    secrets = []

    def remember():
        row = Connection.objects.get(pk=found.pk)
        for column in ("access", "refresh"):
            sealed = getattr(row, f"{column}_sealed")
            if sealed:
                secrets.extend([sealed, open_sealed(sealed, bound_to=f"{row.pk}:{column}")])

    remember()
    trip.client.post(reverse("integrations:sync_now", args=[domain.name]), {"kind": "full"})
    said.extend(row.payload for row in OrmQ.objects.all())
    said.extend(str(row.task) for row in OrmQ.objects.all())
    for kind, path in [
        ("status", "/api/v2/*"),
        ("forbidden", "/api/v2/*"),
        ("truncated_json", "/oauth/token"),
        ("retry_later", "/oauth/token"),
        ("reset", "/oauth/token"),
        ("unauthorized", "/api/v2/*"),
    ]:
        age(found)
        sandbox.faults.add(kind, path=path, times=3)
        try:
            read_one(found)
        except Exception as error:
            said.extend([str(error), repr(error), repr(error.__cause__), str(vars(error))])
        remember()
        sandbox.faults.clear()
    age(found)
    run_sync_quietly(found)
    remember()
    with pytest.raises(CommandError) as refused:
        call_command("checkconnection", domain=domain.name)
    said.append(str(refused.value))
    owner.is_staff = owner.is_superuser = True
    owner.save()
    pages = [
        reverse("integrations:outreach", args=[domain.name]),
        reverse("integrations:runs", args=[domain.name]),
        reverse("integrations:ledger", args=[domain.name]),
        reverse("admin:integrations_connection_changelist"),
        reverse("admin:integrations_connection_change", args=[found.pk]),
        reverse("admin:integrations_ledgerentry_changelist"),
        reverse("admin:integrations_syncrun_changelist"),
    ]
    for page in pages:
        response = trip.client.get(page)
        assert response.status_code == 200, page
        said.append(response.content.decode())
    said.extend(str(entry) for entry in LedgerEntry.objects.values())
    said.extend([caplog.text, *capsys.readouterr(), repr(found), str(vars(found).keys())])

    assert len(secrets) >= 6
    everything = "\n".join(map(str, said))
    assert not [secret[:20] for secret in secrets if secret in everything]
    assert "sandbox-secret" not in everything and "sandbox-at-" not in everything
    assert "sandbox-rt-" not in everything


def run_sync_quietly(connection):
    try:
        return run_sync(connection)
    except sync.SyncRefused:
        return None
