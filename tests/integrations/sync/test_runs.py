"""A run's course: asked for, waiting, lost, killed, taken over, and never two at once."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from integrations.models import (
    CallBudget,
    Connection,
    ConnectionState,
    LedgerEntry,
    Mailbox,
    Person,
    RunState,
    SyncKind,
    SyncRun,
)
from integrations.signals import directory_synced
from integrations.sync import runs
from tests.support.connections import get_acts
from tests.support.installation import wait_until
from tests.support.sync_runs import SMALL_PAGES, run_sync

# ── waiting, losing, two at once ─────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_a_429_lets_the_run_wait_and_the_sweep_resumes_it(sandbox, connection, bystander, small_pages):
    sandbox.faults.add("rate_limited", path="/api/v2/users", nth=2, retry_after="delta", seconds=900)

    run = run_sync(connection)

    assert (run.state, run.finished_at) == (RunState.WAITING, None)
    wait = (run.resume_at - timezone.now()).total_seconds()
    assert 880 < wait <= 900
    tasks.sweep_connections()
    assert OrmQ.objects.count() == 0
    now = timezone.now()  # the quarter of an hour is over
    SyncRun.objects.filter(pk=run.pk).update(resume_at=now)
    CallBudget.objects.filter(connection=connection).update(blocked_until=now, window_ends_at=now)

    tasks.sweep_connections()
    [waiting] = OrmQ.objects.all()
    assert (waiting.task["func"], waiting.task["kwargs"]) == (
        "integrations.tasks.sync_directory",
        {"run_id": run.pk},
    )
    resumed = runs.carry_out(run.pk)

    assert (resumed.state, resumed.cause, resumed.resume_at) == (RunState.COMPLETE, "", None)
    assert (resumed.people_read, resumed.teams_read) == (24, 4)  # and not once more what was read before
    assert resumed.calls == len(sandbox.requests)
    assert resumed.added == 24 + 4 + len(sandbox.directory.mailboxes)
    assert not bystander.sync_runs.exists()


def test_a_short_429_is_waited_for_in_place(sandbox, connection):
    sandbox.faults.add("rate_limited", path="/api/v2/users", retry_after="delta", seconds=1)

    assert run_sync(connection).state == RunState.COMPLETE


def test_a_second_run_says_that_one_is_running(sandbox, connection, bystander):
    first = runs.request_sync(connection, kind=SyncKind.FULL, actor="dana@acme.example")

    with pytest.raises(runs.SyncRefused, match=r"running already.*dana@acme\.example"):
        runs.request_sync(connection, kind=SyncKind.CHANGES, actor="test")

    assert runs.request_sync(bystander, kind=SyncKind.FULL, actor="test").pk
    assert runs.carry_out(first.pk).state == RunState.COMPLETE


def test_a_run_is_carried_out_once_however_often_its_task_comes(sandbox, connection):
    run = run_sync(connection)
    sandbox.requests.clear()

    again = runs.carry_out(run.pk)

    assert (again.state, sandbox.requests) == (RunState.COMPLETE, [])


def test_a_task_that_comes_again_while_its_run_is_under_way_makes_no_request(
    sandbox, connection, bystander, small_pages
):
    """The queue may hand a task to a second worker while the first is still at it."""
    second: list[tuple[str, int]] = []

    def hand_in_again(run):
        if run.state == RunState.RUNNING:
            before = len(sandbox.requests)
            again = runs.carry_out(run.pk)
            second.append((again.state, len(sandbox.requests) - before))

    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    run = runs.carry_out(run.pk, progress=hand_in_again)

    assert len(second) > 3 and set(second) == {(RunState.RUNNING, 0)}
    assert (run.state, run.calls) == (RunState.COMPLETE, len(sandbox.requests))
    assert (run.people_read, run.added) == (24, 24 + 4 + len(sandbox.directory.mailboxes))
    assert not bystander.sync_runs.exists()


def test_a_run_whose_process_may_be_dead_is_not_simply_taken_over(sandbox, connection):
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    SyncRun.objects.filter(pk=run.pk).update(
        state=RunState.RUNNING, lease_until=timezone.now() - timedelta(hours=1)
    )

    assert (runs.carry_out(run.pk).state, sandbox.requests) == (RunState.RUNNING, [])


def test_revoked_in_mid_run_the_run_is_skipped_and_the_connection_lost(
    sandbox, connection, bystander, small_pages
):
    Connection.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    seen: list[int] = []

    def revoke(run):
        if run.people_read and not seen:
            seen.append(len(sandbox.requests))
            sandbox.oauth.revoke_all()

    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    run = runs.carry_out(run.pk, progress=revoke)

    after = [(entry.path, entry.status) for entry in sandbox.requests[seen[0] :]]
    assert run.state == RunState.SKIPPED
    assert after == [("/api/v2/users", 401), ("/oauth/token", 400)]
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.LOST
    assert run.retired == 0
    assert Connection.objects.get(pk=bystander.pk).state == ConnectionState.ACTIVE


def test_an_unknown_failure_is_our_bug_and_is_told_in_run_ledger_and_log(
    sandbox, connection, monkeypatch, caplog
):
    def break_down(self, records):
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("integrations.sync.mirror.Mirror.put_teams", break_down)
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")

    with caplog.at_level("ERROR"), pytest.raises(ZeroDivisionError):
        runs.carry_out(run.pk)

    run.refresh_from_db()
    assert (run.state, run.lease_until, run.resume_at) == (RunState.FAILED, None, None)
    assert run.cause.startswith(f"An internal error stopped sync {run.pk}: ZeroDivisionError in ")
    entry = LedgerEntry.objects.get(action="stopped by a fault")
    assert (entry.job, entry.detail, entry.domain) == (f"sync {run.pk}", run.cause, connection.domain)
    [told] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.getMessage() == run.cause and told.exc_info is not None
    assert "a bug of ours" not in run.cause  # the error's own words may hold a value


def test_only_a_complete_run_is_announced(sandbox, connection, bystander):
    heard = []
    directory_synced.connect(lambda run, **kwargs: heard.append(run.pk), weak=False, dispatch_uid="test")
    try:
        good = run_sync(connection)
        sandbox.faults.add("forbidden", path="/api/v2/users")
        run_sync(connection)
        sandbox.faults.add("truncated_json", path="/api/v2/users", times=None)
        run_sync(connection)
    finally:
        directory_synced.disconnect(dispatch_uid="test")

    assert heard == [good.pk]


@pytest.mark.django_db(transaction=True)
def test_a_lapsed_run_is_interrupted_and_started_again(sandbox, connection, bystander):
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test", confirms_removals=True)
    SyncRun.objects.filter(pk=run.pk).update(
        state=RunState.RUNNING, lease_until=timezone.now() - timedelta(seconds=1)
    )

    tasks.sweep_connections()

    run.refresh_from_db()
    successor = connection.sync_runs.exclude(pk=run.pk).get()
    assert (run.state, successor.state, successor.kind) == (
        RunState.INTERRUPTED,
        RunState.QUEUED,
        SyncKind.FULL,
    )
    assert successor.confirms_removals
    assert [row.task["kwargs"] for row in OrmQ.objects.all()] == [{"run_id": successor.pk}]
    assert runs.carry_out(successor.pk).state == RunState.COMPLETE


def test_whoever_was_taken_for_dead_writes_nothing_more(sandbox, connection, small_pages):
    def take_away(run):
        if run.people_read:
            SyncRun.objects.filter(pk=run.pk).update(state=RunState.INTERRUPTED, lease_until=None)

    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    run = runs.carry_out(run.pk, progress=take_away)

    assert run.state == RunState.INTERRUPTED
    assert Person.objects.count() == SMALL_PAGES
    assert not Mailbox.objects.exists()


def test_a_killed_sync_leaves_whole_pages_and_the_next_one_converges(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())
    sandbox.faults.add("slow", path="/api/v2/mailboxes", seconds=5, times=1)

    process = installation.start("syncdirectory", "--domain=acme.example")
    wait_until(lambda: sandbox.requests.to("/api/v2/mailboxes"), seconds=40)
    process.send_signal(signal.SIGKILL)
    process.wait()
    people = installation.rows("select count(*) from integrations_person")
    second = installation.manage("syncdirectory", "--domain=acme.example")
    installation.rows("update integrations_syncrun set lease_until='2026-01-01 00:00:00'")
    installation.run("from integrations.tasks import sweep_connections; sweep_connections()")
    queued = installation.rows("select id from integrations_syncrun where state='queued'")
    installation.run(f"from integrations.tasks import sync_directory; sync_directory(run_id={queued[0][0]})")

    assert people == [(24,)]
    assert second.returncode == 1 and "running already" in second.stderr
    assert installation.rows("select state, mailboxes_read from integrations_syncrun order by id") == [
        ("interrupted", 0),
        ("complete", len(sandbox.directory.mailboxes)),
    ]
    assert installation.rows("select count(*) from integrations_mailbox") == [
        (len(sandbox.directory.mailboxes),)
    ]


# ── who asks for one ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_the_button_queues_one_run_with_its_id_alone(client, sandbox, domain, owner, connection):
    client.force_login(owner)
    sync_now = reverse("integrations:sync_now", args=[domain.name])

    first = client.post(sync_now, {"kind": "full"}, follow=True)
    second = client.post(sync_now, {"kind": "full"}, follow=True)

    [run] = connection.sync_runs.all()
    assert first.redirect_chain[-1][0] == reverse("integrations:run", args=[domain.name, run.pk])
    assert b"running already" in second.content
    [queued] = OrmQ.objects.all()
    assert queued.task["kwargs"] == {"run_id": run.pk}
    assert get_acts(domain) == ["connected", "sync requested"]


@pytest.mark.django_db(transaction=True)
def test_the_schedule_asks_only_for_domains_that_want_it_and_were_read_before(
    sandbox, connection, bystander, other_domain
):
    tasks.sync_changes()
    assert not SyncRun.objects.exists()  # the first reading is a person's decision
    run_sync(connection)
    run_sync(bystander)
    other_domain.automatic_sync = False
    other_domain.save()

    tasks.sync_changes()

    queued = SyncRun.objects.filter(state=RunState.QUEUED).get()
    assert (queued.connection_id, queued.kind, queued.started_by_label) == (
        connection.pk,
        SyncKind.PEOPLE,
        "schedule",
    )
