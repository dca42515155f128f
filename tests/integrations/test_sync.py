"""Connector to mirror: what a run reads, changes, keeps and retires, over real HTTP."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from integrations import sync, tasks
from integrations.models import (
    CallBudget,
    Connection,
    ConnectionState,
    Mailbox,
    Person,
    QuarantinedRecord,
    RunState,
    SyncKind,
    SyncRun,
    Team,
)
from integrations.signals import directory_synced
from tests.installation import wait_until

from .conftest import get_acts

SMALL_PAGES = 10


def run_sync(connection, kind=SyncKind.FULL, **options):
    run = sync.request_sync(connection, kind=kind, by_label="test", **options)
    return sync.carry_out(run.pk)


def get_mirror(connection):
    """Every column of every mirrored row of a connection."""
    return {
        model.__name__: list(model.objects.filter(connection=connection).order_by("pk").values())
        for model in (Team, Person, Mailbox)
    }


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of ten, so that a company of 24 has three of them."""
    from integrations.outreach import connector

    monkeypatch.setattr(connector.OutreachConnector.__init__, "__kwdefaults__", {"page_size": SMALL_PAGES})


@pytest.fixture
def mirrored(sandbox, connection, bystander):
    """Both connections synced once; the bystander's mirror must stay as it is."""
    run_sync(connection)
    run_sync(bystander)
    before = get_mirror(bystander)
    sandbox.requests.clear()
    yield connection
    assert get_mirror(bystander) == before


def test_first_sync_mirrors_every_person_team_and_mailbox(sandbox, connection):
    run = run_sync(connection)

    users, teams = sandbox.directory.users.values(), sandbox.directory.teams.values()
    assert (run.state, run.cause) == (RunState.COMPLETE, "")
    assert set(Person.objects.values_list("remote_id", "email", "title", "is_locked")) == {
        (str(user.id), user.email, (user.title or "").strip(), user.locked) for user in users
    }
    assert set(Team.objects.values_list("remote_id", "name")) == {(str(team.id), team.name) for team in teams}
    assert set(Mailbox.objects.values_list("remote_id", "person_remote_id", "is_editable")) == {
        (str(box.id), str(box.user_id), box.editable) for box in sandbox.directory.mailboxes.values()
    }
    assert {row.remote_id: row.team_ids for row in Person.objects.all()} == {
        str(user.id): sorted(map(str, user.team_ids)) for user in users
    }
    assert (run.people_read, run.teams_read, run.mailboxes_read) == (
        len(users),
        len(teams),
        len(sandbox.directory.mailboxes),
    )
    assert run.calls == len(sandbox.requests)
    assert run.added == run.people_read + run.teams_read + run.mailboxes_read


def test_s11_replaying_an_unchanged_directory_writes_no_row(sandbox, mirrored):
    before = get_mirror(mirrored)

    again = run_sync(mirrored)

    assert (again.added, again.changed, again.retired) == (0, 0, 0)
    assert get_mirror(mirrored) == before


def test_a_changed_title_is_found_in_at_most_five_requests(sandbox, mirrored):
    sandbox.directory.set_title(5, "Head of Changed Titles")

    run = run_sync(mirrored, SyncKind.CHANGES)

    assert (run.state, run.kind, run.changed, run.added, run.retired) == (
        RunState.COMPLETE,
        SyncKind.CHANGES,
        1,
        0,
        0,
    )
    assert len(sandbox.requests) == run.calls <= 5
    assert Person.objects.get(connection=mirrored, remote_id="5").title == "Head of Changed Titles"


def test_changes_without_a_full_run_before_become_a_full_run(sandbox, connection):
    assert run_sync(connection, SyncKind.CHANGES).kind == SyncKind.FULL


def test_a_record_from_the_future_hides_no_later_change(sandbox, mirrored):
    soon = (timezone.now() + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    sandbox.directory.update("users", 3, title="From the future", updated_at=soon)
    run_sync(mirrored, SyncKind.CHANGES)

    sandbox.directory.set_title(4, "Changed right now")
    run_sync(mirrored, SyncKind.CHANGES)

    assert Person.objects.get(connection=mirrored, remote_id="4").title == "Changed right now"


def test_s7_an_address_that_moved_to_another_person_moves_here_too(sandbox, mirrored):
    first, second = (sandbox.directory.users[number].email for number in (5, 6))
    sandbox.directory.update("users", 5, email=second)
    sandbox.directory.update("users", 6, email=first)

    run_sync(mirrored, SyncKind.CHANGES)

    found = dict(Person.objects.filter(connection=mirrored).values_list("remote_id", "email"))
    assert (found["5"], found["6"]) == (second, first)


# ── membership ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("touches_user", [True, False])
@pytest.mark.parametrize("kind", list(SyncKind))
def test_a_person_moved_between_teams_is_moved_here(sandbox, mirrored, kind, touches_user):
    sandbox.directory.membership_touches_user = touches_user
    teams = list(sandbox.directory.teams)[1:3]
    sandbox.directory.move(7, teams)

    run_sync(mirrored, kind)

    assert Person.objects.get(connection=mirrored, remote_id="7").team_ids == sorted(map(str, teams))
    others = Person.objects.filter(connection=mirrored).exclude(remote_id="7")
    assert {row.remote_id: row.team_ids for row in others} == {
        str(user.id): sorted(map(str, user.team_ids))
        for user in sandbox.directory.users.values()
        if user.id != 7
    }


@pytest.mark.parametrize(
    ("path", "relationship"),
    [("/api/v2/users", "relationships.teams"), ("/api/v2/teams", "relationships.users")],
)
def test_membership_told_by_one_side_alone_is_enough(sandbox, connection, path, relationship):
    sandbox.faults.add("drop_field", path=path, field=relationship, times=None)

    run_sync(connection)

    assert {row.remote_id: row.team_ids for row in Person.objects.all()} == {
        str(user.id): sorted(map(str, user.team_ids)) for user in sandbox.directory.users.values()
    }


def test_a_team_that_is_gone_is_nobodys_team(sandbox, mirrored):
    gone = list(sandbox.directory.teams)[1]
    assert sandbox.directory.teams[gone].user_ids
    sandbox.directory.remove_team(gone)

    run_sync(mirrored, SyncKind.CHANGES)

    assert Team.objects.get(connection=mirrored, remote_id=gone).retired_at is not None
    assert not [row for row in Person.objects.filter(connection=mirrored) if str(gone) in row.team_ids]


@pytest.mark.parametrize("kind", list(SyncKind))
def test_a_team_that_does_not_fit_keeps_its_members(sandbox, mirrored, kind):
    before = {row.remote_id: row.team_ids for row in Person.objects.filter(connection=mirrored)}
    broken = next(id for id, team in sandbox.directory.teams.items() if team.user_ids)
    sandbox.faults.add("drop_field", path="/api/v2/users", field="relationships.teams", times=None)
    sandbox.faults.add("set_field", path="/api/v2/teams", record=broken, field="name", value={"not": "text"})

    run = run_sync(mirrored, kind)

    assert (run.quarantined, run.retired) == (1, 0)
    assert {row.remote_id: row.team_ids for row in Person.objects.filter(connection=mirrored)} == before


@pytest.mark.parametrize("kind", list(SyncKind))
def test_s8_teams_that_are_held_keep_their_members(sandbox, connection, kind):
    for number in range(20):
        team = sandbox.directory.add_team(f"Team {number}")
        sandbox.directory.move(5 + number % 10, [*sandbox.directory.users[5 + number % 10].team_ids, team.id])
    run_sync(connection)
    before = {row.remote_id: row.team_ids for row in Person.objects.all()}
    sandbox.faults.add("drop_field", path="/api/v2/users", field="relationships.teams", times=None)
    sandbox.faults.add("empty_collection", path="/api/v2/teams")

    run = run_sync(connection, kind)

    assert (run.retired, run.held_removals) == (0, len(sandbox.directory.teams))
    assert {row.remote_id: row.team_ids for row in Person.objects.all()} == before


# ── retiring ─────────────────────────────────────────────────────────────────────────────────────


def test_who_is_gone_is_retired_by_a_full_run_and_comes_back(sandbox, mirrored):
    gone = sandbox.directory.users[9]
    boxes = [str(number) for number in gone.mailbox_ids]
    sandbox.directory.remove_user(9)

    changes = run_sync(mirrored, SyncKind.CHANGES)
    kept = Person.objects.get(connection=mirrored, remote_id="9").retired_at
    full = run_sync(mirrored)

    assert (changes.retired, kept) == (0, None)  # what is not listed among changes is not therefore gone
    assert full.retired == 1 + len(boxes)
    assert Person.objects.get(connection=mirrored, remote_id="9").retired_at is not None
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 23

    sandbox.directory.create("users", id=9, email=gone.email, first_name="Back", last_name="Again")
    run_sync(mirrored)

    back = Person.objects.get(connection=mirrored, remote_id="9")
    assert (back.retired_at, back.first_name) == (None, "Back")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 500, "times": None}),
        ("truncated_json", {}),
        ("body", {"value": '{"data": [{"id": NaN}]}'}),
        ("body", {"value": "\ufeff{}"}),
        ("body", {"value": '{"data": [], "data": []}'}),
        ("body", {"value": '{"data": ' + "[" * 100_000}),
        ("huge", {"bytes": 20_000_000}),
        ("next_link", {"to": "other-host"}),
        ("next_link", {"to": "userinfo"}),
        ("next_link", {"to": "https"}),
        ("next_link", {"to": "itself"}),
        ("redirect", {}),
        ("forbidden", {}),
    ],
)
def test_s3_s6_a_bad_second_page_retires_nobody_and_leaves_no_half_page(
    sandbox, connection, bystander, small_pages, monkeypatch, kind, options
):
    monkeypatch.setattr("integrations.outreach.client.FIRST_BACKOFF_SECONDS", 0.01)
    run_sync(connection)
    sandbox.directory.remove_user(2)
    for number in sandbox.directory.users:
        sandbox.directory.set_title(number, "New title")
    sandbox.faults.add(kind, path="/api/v2/users", query="page[after]", **options)

    run = run_sync(connection)

    assert run.state == RunState.FAILED
    assert run.retired == 0 and run.cause
    assert Person.objects.filter(connection=connection).exclude(retired_at=None).count() == 0
    titles = Person.objects.filter(connection=connection, title="New title")
    assert titles.count() == SMALL_PAGES  # the first page, whole; nothing of the second
    assert not Person.objects.filter(connection=bystander).exists()


def test_s2_a_502_halves_the_page_and_the_listing_goes_on(sandbox, connection):
    sandbox.settings.heavy_page_size = 130

    run = run_sync(connection)

    assert run.state == RunState.COMPLETE
    sizes = [entry.parameters["page[size]"] for entry in sandbox.requests.to("/api/v2/users")]
    assert sizes == [["500"], ["250"], ["125"]]
    assert Person.objects.count() == 24


def test_s8_a_suddenly_empty_collection_removes_nobody_until_somebody_confirms(sandbox, mirrored, owner):
    sandbox.faults.add("empty_collection", path="/api/v2/users", times=2)

    held = run_sync(mirrored)
    live = Person.objects.filter(connection=mirrored, retired_at=None).count()
    confirmed = run_sync(mirrored, confirms_removals=True)

    assert (held.state, held.retired, held.held_removals, live) == (RunState.COMPLETE, 0, 24, 24)
    assert "24 of 24 people" in held.cause and "confirm" in held.cause
    assert confirmed.retired == 24


def test_s8_a_third_that_vanishes_at_once_is_held(sandbox, connection, other_domain):
    for number in range(100, 130):
        sandbox.directory.add_user(f"person{number}@acme.example", "Person", str(number))
    run_sync(connection)
    for number in list(sandbox.directory.users)[-20:]:
        sandbox.directory.remove_user(number)

    held = run_sync(connection)

    assert (held.retired, held.held_removals) == (0, 20)


def test_s8_a_few_who_left_are_simply_retired(sandbox, mirrored):
    for number in (10, 11, 12):
        sandbox.directory.remove_user(number)

    assert run_sync(mirrored).held_removals == 0
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 21


# ── quarantine ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", {"nested": "object"}),
        ("title", "x" * 2_000_000),
        ("email", None),
        ("email", "not an address"),
        ("firstName", ["a", "list"]),
        ("locked", "yes"),
        ("updatedAt", "yesterday"),
        ("attributes", None),
        ("relationships.teams", "broken"),
    ],
)
def test_s4_a_record_that_does_not_fit_is_set_aside_and_keeps_what_it_was(sandbox, mirrored, field, value):
    before = Person.objects.filter(connection=mirrored, remote_id="6").values().get()
    sandbox.directory.set_title(6, "Not taken over")
    sandbox.directory.set_title(8, "Taken over")
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field=field, value=value)

    run = run_sync(mirrored)

    assert (run.state, run.quarantined, run.retired) == (RunState.COMPLETE, 1, 0)
    [aside] = QuarantinedRecord.objects.filter(run=run)
    assert (aside.kind, aside.remote_id) == ("person", "6") and aside.reason
    assert len(aside.reason) < 500
    assert Person.objects.filter(connection=mirrored, remote_id="6").values().get() == before
    assert Person.objects.get(connection=mirrored, remote_id="8").title == "Taken over"


def test_s4_ids_as_text_are_the_same_ids(sandbox, mirrored):
    sandbox.settings.ids_as_strings = True

    run = run_sync(mirrored)

    assert (run.added, run.changed, run.retired) == (0, 0, 0)


@pytest.mark.parametrize("value", [None, "", "six", -6, 6.5, True, {"id": 6}])
def test_s4_a_record_without_a_usable_id_keeps_everybody(sandbox, mirrored, value):
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field="id", value=value)

    run = run_sync(mirrored)

    assert (run.quarantined, run.retired) == (1, 0)
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 24


def test_s5_pages_that_repeat_or_come_unsorted_end_in_the_truth(sandbox, connection, small_pages):
    sandbox.faults.add("duplicate_page", path="/api/v2/users", times=None)
    sandbox.faults.add("shuffle", path="/api/v2/mailboxes", times=None)

    run = run_sync(connection)

    assert run.state == RunState.COMPLETE
    assert Person.objects.filter(retired_at=None).count() == 24
    assert Mailbox.objects.count() == len(sandbox.directory.mailboxes)


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
    resumed = sync.carry_out(run.pk)

    assert (resumed.state, resumed.cause, resumed.resume_at) == (RunState.COMPLETE, "", None)
    assert (resumed.people_read, resumed.teams_read) == (24, 4)  # and not once more what was read before
    assert resumed.calls == len(sandbox.requests)
    assert resumed.added == 24 + 4 + len(sandbox.directory.mailboxes)
    assert not bystander.sync_runs.exists()


def test_a_short_429_is_waited_for_in_place(sandbox, connection):
    sandbox.faults.add("rate_limited", path="/api/v2/users", retry_after="delta", seconds=1)

    assert run_sync(connection).state == RunState.COMPLETE


def test_s10_a_second_run_says_that_one_is_running(sandbox, connection, bystander):
    first = sync.request_sync(connection, kind=SyncKind.FULL, by_label="dana@acme.example")

    with pytest.raises(sync.SyncRefused, match=r"running already.*dana@acme\.example"):
        sync.request_sync(connection, kind=SyncKind.CHANGES, by_label="test")

    assert sync.request_sync(bystander, kind=SyncKind.FULL, by_label="test").pk
    assert sync.carry_out(first.pk).state == RunState.COMPLETE


def test_a_run_is_carried_out_once_however_often_its_task_comes(sandbox, connection):
    run = run_sync(connection)
    sandbox.requests.clear()

    again = sync.carry_out(run.pk)

    assert (again.state, sandbox.requests) == (RunState.COMPLETE, [])


def test_revoked_in_mid_run_the_run_is_skipped_and_the_connection_lost(
    sandbox, connection, bystander, small_pages
):
    Connection.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    seen: list[int] = []

    def revoke(run):
        if run.people_read and not seen:
            seen.append(len(sandbox.requests))
            sandbox.oauth.revoke_all()

    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    run = sync.carry_out(run.pk, progress=revoke)

    after = [(entry.path, entry.status) for entry in sandbox.requests[seen[0] :]]
    assert run.state == RunState.SKIPPED
    assert after == [("/api/v2/users", 401), ("/oauth/token", 400)]
    assert Connection.objects.get(pk=connection.pk).state == ConnectionState.LOST
    assert run.retired == 0
    assert Connection.objects.get(pk=bystander.pk).state == ConnectionState.ACTIVE


def test_an_unknown_failure_is_our_bug_and_is_raised(sandbox, connection, monkeypatch):
    def break_down(self, records):
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr("integrations.mirror.Mirror.put_teams", break_down)
    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")

    with pytest.raises(ZeroDivisionError):
        sync.carry_out(run.pk)

    run.refresh_from_db()
    assert (run.state, run.lease_until) == (RunState.FAILED, None)
    assert "operator" in run.cause


def test_only_a_complete_run_is_announced(sandbox, connection, bystander):
    heard = []
    directory_synced.connect(lambda run, **kwargs: heard.append(run.pk), weak=False, dispatch_uid="test")
    try:
        good = run_sync(connection)
        sandbox.faults.add("truncated_json", path="/api/v2/users")
        run_sync(connection)
    finally:
        directory_synced.disconnect(dispatch_uid="test")

    assert heard == [good.pk]


@pytest.mark.django_db(transaction=True)
def test_a_lapsed_run_is_interrupted_and_started_again(sandbox, connection, bystander):
    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test", confirms_removals=True)
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
    assert sync.carry_out(successor.pk).state == RunState.COMPLETE


def test_whoever_was_taken_for_dead_writes_nothing_more(sandbox, connection, small_pages):
    def take_away(run):
        if run.people_read:
            SyncRun.objects.filter(pk=run.pk).update(state=RunState.INTERRUPTED)

    run = sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")
    run = sync.carry_out(run.pk, progress=take_away)

    assert run.state == RunState.INTERRUPTED
    assert Person.objects.count() == SMALL_PAGES
    assert not Mailbox.objects.exists()


def test_s9_a_killed_sync_leaves_whole_pages_and_the_next_one_converges(installation, sandbox):
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


# ── what may be read ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("granted", [("users.all",), ("teams.read", "mailboxes.all"), ("mailboxes.all",)])
def test_l3_a_listing_without_its_scope_is_left_out_and_named(sandbox, connect, domain, owner, granted):
    connection = connect(domain, owner, scopes=granted)

    run = run_sync(connection)

    paths = {
        "users.all": "/api/v2/users",
        "teams.read": "/api/v2/teams",
        "mailboxes.all": "/api/v2/mailboxes",
    }
    assert run.state == RunState.COMPLETE
    assert {entry.path for entry in sandbox.requests} == {paths[scope] for scope in granted}
    assert all(entry.status == 200 for entry in sandbox.requests)
    for scope in paths:
        assert (f"{scope} is not granted" in run.cause) == (scope not in granted)


def test_nothing_granted_to_read_refuses_the_run_without_a_call(sandbox, connect, domain, owner):
    connection = connect(domain, owner, scopes=("prospects.read",))

    with pytest.raises(sync.SyncRefused, match="none of the permissions"):
        sync.request_sync(connection, kind=SyncKind.FULL, by_label="test")

    assert sandbox.requests == []


def test_a_preview_writes_nothing_but_the_ledger(sandbox, mirrored):
    sandbox.directory.set_title(5, "Would change")
    sandbox.directory.remove_user(9)
    before = get_mirror(mirrored)
    runs = mirrored.sync_runs.count()

    run = sync.preview(mirrored, kind=SyncKind.FULL, by_label="test")

    assert (run.pk, run.changed) == (None, 1) and run.retired >= 1
    assert (get_mirror(mirrored), mirrored.sync_runs.count()) == (before, runs)


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
        SyncKind.CHANGES,
        "schedule",
    )
