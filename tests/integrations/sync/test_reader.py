"""Connector to mirror, over real HTTP: what a run reads and changes, and what it may not read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import Mailbox, Person, RunState, SyncKind, Team
from integrations.sync import runs as sync_runs
from tests.support.sync_runs import get_mirror, run_sync


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


def test_replaying_an_unchanged_directory_writes_no_row(sandbox, mirrored):
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


def test_an_address_that_moved_to_another_person_moves_here_too(sandbox, mirrored):
    first, second = (sandbox.directory.users[number].email for number in (5, 6))
    sandbox.directory.update("users", 5, email=second)
    sandbox.directory.update("users", 6, email=first)

    run_sync(mirrored, SyncKind.CHANGES)

    found = dict(Person.objects.filter(connection=mirrored).values_list("remote_id", "email"))
    assert (found["5"], found["6"]) == (second, first)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


def test_a_502_halves_the_page_and_the_listing_goes_on(sandbox, connection):
    sandbox.settings.heavy_page_size = 130

    run = run_sync(connection)

    assert run.state == RunState.COMPLETE
    sizes = [entry.parameters["page[size]"] for entry in sandbox.requests.to("/api/v2/users")]
    assert sizes == [["500"], ["250"], ["125"]]
    assert Person.objects.count() == 24


def test_pages_that_repeat_or_come_unsorted_end_in_the_truth(sandbox, connection, small_pages):
    sandbox.faults.add("duplicate_page", path="/api/v2/users", times=None)
    sandbox.faults.add("shuffle", path="/api/v2/mailboxes", times=None)

    run = run_sync(connection)

    assert run.state == RunState.COMPLETE
    assert Person.objects.filter(retired_at=None).count() == 24
    assert Mailbox.objects.count() == len(sandbox.directory.mailboxes)


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

    with pytest.raises(sync_runs.SyncRefused, match="none of the permissions"):
        sync_runs.request_sync(connection, kind=SyncKind.FULL, actor="test")

    assert sandbox.requests == []


def test_a_preview_writes_nothing_but_the_ledger(sandbox, mirrored):
    sandbox.directory.set_title(5, "Would change")
    sandbox.directory.remove_user(9)
    before = get_mirror(mirrored)
    runs = mirrored.sync_runs.count()

    run = sync_runs.preview(mirrored, kind=SyncKind.FULL, actor="test")

    assert (run.pk, run.changed) == (None, 1) and run.retired >= 1
    assert (get_mirror(mirrored), mirrored.sync_runs.count()) == (before, runs)
