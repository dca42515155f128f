"""What Outreach or the database cannot answer now: the sync waits, longer each time, and comes to its end later."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import tasks
from integrations.errors import IntegrationError
from integrations.models import (
    CallBudget,
    LedgerEntry,
    Mailbox,
    Person,
    RejectedRecord,
    RunState,
    SyncKind,
    SyncRun,
)
from integrations.sync import runs
from integrations.sync.one_person import read_mailboxes
from tests.support.page_text import words_of
from tests.support.sync_runs import run_sync

OUTAGES = [
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("status", {"status": 504, "body": "<html>Gateway Time-out</html>"}),
    ("status", {"status": 404, "body": "<html>maintenance</html>"}),
    ("status", {"status": 403, "body": "<html>blocked</html>"}),
    ("status", {"status": 418}),
    ("redirect", {}),
    ("unavailable", {"seconds": 1800}),
    ("reset", {}),
    ("cut", {"bytes": 100}),
    ("truncated_json", {}),
    ("huge", {"bytes": 16 * 1024 * 1024 + 1}),
    ("content_type", {"value": "text/html"}),
    ("body", {"value": "<html>We will be back</html>"}),
    ("body", {"value": ""}),
    ("body", {"value": "\ufeff{}"}),
    ("body", {"value": "[]"}),
    ("body", {"value": "{}"}),
    ("body", {"value": '{"data": [{"id": NaN}]}'}),
    ("body", {"value": '{"data": ' + "[" * 100_000}),
    ("next_link", {"to": "other-host"}),
    ("unauthorized", {}),
]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    """The pauses between tries within a run; those between runs stay as they are."""
    monkeypatch.setattr("integrations.outreach.pace.FIRST_BACKOFF_SECONDS", 0.001)


@pytest.fixture
def renewable(connection):
    """A connection whose token may be renewed at once."""
    connection.refreshed_at = timezone.now() - timedelta(hours=1)
    connection.save()
    return connection


def get_wait(run):
    return (run.resume_at - timezone.now()).total_seconds()


@pytest.mark.parametrize(("kind", "options"), OUTAGES)
def test_a_sync_waits_an_outage_out_and_goes_on(sandbox, renewable, bystander, caplog, kind, options):
    sandbox.faults.add(kind, path="/api/v2/*", times=None, **options)

    with caplog.at_level(logging.WARNING, logger="integrations.sync.run_row"):
        waiting = run_sync(renewable)
    sandbox.faults.clear()

    assert (waiting.state, waiting.finished_at, waiting.lease_until) == (RunState.WAITING, None, None)
    assert 25 < get_wait(waiting) <= 30
    assert waiting.cause and "Continue" not in waiting.cause
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"Sync {waiting.pk} waits: " in caplog.text
    assert not Person.objects.exists() and not bystander.sync_runs.exists()

    done = runs.carry_out(waiting.pk)

    assert (done.pk, done.state, done.cause, done.people_read) == (waiting.pk, RunState.COMPLETE, "", 24)


def test_the_pauses_grow_to_a_quarter_of_an_hour_and_never_end_the_run(sandbox, connection):
    sandbox.faults.add("status", path="/api/v2/*", status=503, times=None)
    run = run_sync(connection)
    waits = [round(get_wait(run))]

    for _ in range(7):
        run = runs.carry_out(run.pk)
        waits.append(round(get_wait(run)))

    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert run.state == RunState.WAITING and connection.sync_runs.count() == 1
    sandbox.faults.clear()
    assert runs.carry_out(run.pk).state == RunState.COMPLETE


@pytest.mark.django_db(transaction=True)
def test_the_sweep_goes_on_with_what_waited_when_it_is_due_and_not_before(sandbox, connection):
    sandbox.faults.add("body", path="/api/v2/teams", times=None)
    run = run_sync(connection)

    tasks.sweep_connections()
    early = OrmQ.objects.count()
    with time_machine.travel(run.resume_at + timedelta(seconds=1)):
        tasks.sweep_connections()

    assert (early, [row.task["kwargs"] for row in OrmQ.objects.all()]) == (0, [{"run_id": run.pk}])


@pytest.mark.parametrize(
    ("kind", "options"),
    [one for one in OUTAGES if one[0] not in ("next_link", "redirect", "unavailable", "unauthorized")
     and one[1].get("status") != 418],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v2/teams", "/api/v2/users", "/api/v2/mailboxes"])
def test_a_reply_or_two_that_cannot_be_used_are_made_good_within_the_run(
    sandbox, connection, kind, options, path
):
    sandbox.faults.add(kind, path=path, times=2, **options)

    run = run_sync(connection)

    assert (run.state, run.cause, run.rejected) == (RunState.COMPLETE, "", 0)
    assert (run.people_read, run.teams_read, run.mailboxes_read) == (
        24, 4, len(sandbox.directory.mailboxes),
    )  # fmt: skip
    assert run.calls == len(sandbox.requests) == 5


def test_repeated_429s_are_believed_once_and_then_knocked_at_ever_less(sandbox, connection):
    sandbox.faults.add("rate_limited", path="/api/v2/*", times=None, retry_after="delta", seconds=20)
    run = run_sync(connection)
    waits, causes = [round(get_wait(run))], {run.cause}

    for _ in range(3):
        CallBudget.objects.update(blocked_until=None, window_ends_at=None)
        run = runs.carry_out(run.pk)
        waits.append(round(get_wait(run)))
        causes.add(run.cause)

    assert waits == [20, 30, 60, 120]
    assert causes == {
        "Outreach asks us to wait 20 seconds. No action needed: the portal waits and tries again."
    }


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_ends_no_sync(sandbox, connection, bystander, small_pages):
    """A table that is gone is how SQLite says what PostgreSQL says of a server that went away."""

    def take_away(run):
        if run.people_read == 10:
            with database.cursor() as cursor:
                cursor.execute("ALTER TABLE integrations_mailbox RENAME TO away")

    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    try:
        waiting = runs.carry_out(run.pk, progress=take_away)
    finally:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO integrations_mailbox")

    assert (waiting.state, waiting.lease_until) == (RunState.WAITING, None)
    assert "database did not answer" in waiting.cause
    assert runs.carry_out(run.pk).state == RunState.COMPLETE
    assert Mailbox.objects.filter(connection=connection).count() == len(sandbox.directory.mailboxes)
    assert not bystander.sync_runs.exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_cannot_note_the_outage_leaves_a_lease_that_lapses(sandbox, connection):
    def take_away(run):
        if run.state == RunState.RUNNING:
            with database.cursor() as cursor:
                cursor.execute("ALTER TABLE integrations_syncrun RENAME TO away")

    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    try:
        runs.carry_out(run.pk, progress=take_away)
    finally:
        with database.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO integrations_syncrun")

    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    with time_machine.travel(run.lease_until + timedelta(seconds=1)):
        tasks.sweep_connections()
        successor = connection.sync_runs.exclude(pk=run.pk).get()
        assert (successor.state, SyncRun.objects.get(pk=run.pk).state) == (
            RunState.QUEUED,
            RunState.INTERRUPTED,
        )


def test_the_lease_is_renewed_each_time_a_page_is_asked_for_again(sandbox, connection):
    """A page that takes a minute each time is no dead process."""
    leases = []

    def watch(run):
        if run.state == RunState.RUNNING and run.phase == "people" and not run.people_read:
            leases.append(SyncRun.objects.get(pk=run.pk).lease_until)

    sandbox.faults.add("status", path="/api/v2/users", status=504, times=6)
    run = runs.request_sync(connection, kind=SyncKind.FULL, actor="test")
    run = runs.carry_out(run.pk, progress=watch)

    assert run.state == RunState.COMPLETE
    assert len(leases) == 6 and leases == sorted(set(leases))


# ── one record, or many large ones ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_mailboxes_that_come_in_smaller_pages_only_are_all_read(sandbox, connection, status):
    sandbox.faults.add("status", status=status, path="/api/v2/mailboxes*", query="page[size]=500", times=None)

    run = run_sync(connection)

    assert (run.state, run.mailboxes_read) == (RunState.COMPLETE, len(sandbox.directory.mailboxes))


def test_a_mailbox_that_never_comes_is_rejected_alone_and_keeps_what_we_had(sandbox, mirrored):
    bad = sorted(sandbox.directory.mailboxes)[5]
    for mailbox in sandbox.directory.mailboxes:
        sandbox.directory.set_signature(mailbox, "<p>new</p>")
    before = Mailbox.objects.filter(connection=mirrored, remote_id=str(bad)).values().get()
    sandbox.faults.add("poisoned", path="/api/v2/mailboxes", record=bad, field="emailSignature", times=None)

    run = run_sync(mirrored)

    count = len(sandbox.directory.mailboxes)
    assert (run.state, run.mailboxes_read, run.rejected, run.retired) == (
        RunState.INCOMPLETE, count - 1, 1, 0,
    )  # fmt: skip
    aside = RejectedRecord.objects.get(run=run)
    assert (aside.kind, aside.remote_id) == ("mailbox", str(bad))
    assert aside.reason.startswith("Outreach did not answer with this record")
    assert Mailbox.objects.filter(connection=mirrored, remote_id=str(bad)).values().get() == before
    assert Mailbox.objects.filter(connection=mirrored, signature_html="<p>new</p>").count() == count - 1


def test_a_record_that_tells_not_even_its_id_retires_nobody_and_is_asked_for_again(sandbox, mirrored):
    sandbox.directory.remove_user(3)
    bad = sorted(sandbox.directory.users)[9]
    sandbox.faults.add("poisoned", path="/api/v2/users", record=bad, times=None)

    run = run_sync(mirrored)
    again = runs.request_sync(mirrored, kind=SyncKind.CHANGES, actor="test")
    sandbox.faults.clear()
    sandbox.requests.clear()
    healed = runs.carry_out(again.pk)

    assert (run.state, run.people_read, run.rejected, run.retired) == (RunState.INCOMPLETE, 22, 1, 0)
    assert "did not send every person" in run.cause
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 24
    assert (
        "filter" not in sandbox.requests.to("/api/v2/users")[0].query
    )  # from the beginning, and not from a mark
    assert (healed.state, healed.people_read) == (RunState.COMPLETE, 23)
    assert not RejectedRecord.objects.exists()


# ── who asks while one waits ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def waiting(sandbox, mirrored):
    sandbox.faults.add("status", path="/api/v2/*", status=503, times=None)
    run = run_sync(mirrored, SyncKind.CHANGES)
    sandbox.faults.clear()
    OrmQ.objects.all().delete()
    assert run.state == RunState.WAITING
    return run


@pytest.mark.django_db(transaction=True)
def test_a_person_who_asks_is_not_sent_away_but_tries_the_waiting_run_now(
    client, sandbox, domain, owner, mirrored, waiting
):
    client.force_login(owner)

    response = client.post(
        reverse("integrations:sync_now", args=[domain.name]),
        {"kind": "full", "confirms_removals": "on"},
        follow=True,
    )

    assert response.redirect_chain[-1][0] == reverse("integrations:run", args=[domain.name, waiting.pk])
    assert "running already" not in words_of(response)
    assert [row.task["kwargs"] for row in OrmQ.objects.all()] == [{"run_id": waiting.pk}]
    run = runs.carry_out(waiting.pk)
    assert (run.state, run.kind, run.confirms_removals) == (RunState.COMPLETE, SyncKind.FULL, True)
    assert mirrored.sync_runs.count() == 2
    requested = LedgerEntry.objects.filter(domain=domain, action="sync requested")
    assert list(requested.values_list("job", "actor_label")) == [(f"sync {waiting.pk}", owner.email)]


@pytest.mark.django_db(transaction=True)
def test_the_schedule_leaves_a_waiting_run_its_pause_but_tells_it_to_read_everything(mirrored, waiting):
    due = waiting.resume_at
    type(mirrored.domain).objects.exclude(pk=mirrored.domain_id).update(automatic_sync=False)

    tasks.sync_changes()
    waiting.refresh_from_db()
    assert (waiting.kind, waiting.resume_at) == (SyncKind.CHANGES, due)
    tasks.sync_everything()
    waiting.refresh_from_db()

    assert (waiting.kind, waiting.resume_at, waiting.state) == (SyncKind.FULL, due, RunState.WAITING)
    assert OrmQ.objects.count() == 0
    assert mirrored.sync_runs.count() == 2


def test_the_page_of_a_waiting_run_says_why_and_when_it_goes_on(client, domain, owner, mirrored, waiting):
    client.force_login(owner)

    page = words_of(client.get(reverse("integrations:run", args=[domain.name, waiting.pk])))

    assert "Outreach is not answering. No action needed: the portal tries again. It continues" in page
    assert "allowance" not in page


# ── reads at a person's click ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "options"), OUTAGES)
def test_a_read_at_a_click_says_what_is_the_matter_and_whose_turn_it_is(sandbox, renewable, kind, options):
    sandbox.faults.add(kind, path="/api/v2/*", times=None, **options)

    with pytest.raises(IntegrationError) as caught:
        read_mailboxes(renewable, "1", job="test")

    assert caught.value.permanent is False
    assert re.search(r"[Tt]he portal (waits and )?tries again[^.]*\.$", caught.value.message)
    assert LedgerEntry.objects.filter(action="call").latest("id").detail.startswith(caught.value.message)


@pytest.mark.parametrize(
    ("kind", "options"), [("body", {}), ("truncated_json", {}), ("status", {"status": 504}), ("reset", {})]
)
def test_a_read_at_a_click_is_tried_again_within_it(sandbox, connection, kind, options):
    sandbox.faults.add(kind, path="/api/v2/*", times=2, **options)
    [mailbox] = [box for box in sandbox.directory.mailboxes.values() if box.id == 5001]

    found = read_mailboxes(connection, "1", job="test")

    assert str(mailbox.id) in found
    assert len(sandbox.requests) == 3


def test_a_gap_makes_a_run_incomplete_however_few_records_it_may_hold(sandbox, connection):
    for number in range(60):
        sandbox.directory.add_user(f"new{number}@acme.example", "New", f"Person {number}")
    run_sync(connection)
    bad = sorted(sandbox.directory.users)[9]
    sandbox.faults.add("poisoned", path="/api/v2/users", record=bad, times=None)

    run = run_sync(connection)

    assert (run.state, run.people_read, run.rejected) == (RunState.INCOMPLETE, 83, 1)  # 1.2 %
    assert "did not send every person" in run.cause
