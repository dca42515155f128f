"""What a regular sync reads: people each time, the other listings every quarter of an hour, and no call more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_q.models import OrmQ

from integrations import tasks
from integrations.models import Mailbox, Person, RunState, SyncKind, SyncRun
from integrations.sync import runs
from portal.models import Domain
from tests.support.sync_runs import get_mirror, run_sync

LISTINGS = ["/api/v2/teams", "/api/v2/users", "/api/v2/mailboxes"]


def get_paths(sandbox):
    return [entry.path for entry in sandbox.requests]


def pass_minutes(minutes):
    """Every run so far lies that much further back."""
    for run in SyncRun.objects.exclude(started_at=None):
        SyncRun.objects.filter(pk=run.pk).update(started_at=run.started_at - timedelta(minutes=minutes))


def run_regularly(connection):
    """One tick of the schedule, carried out; the run of this connection, the only one read by itself."""
    Domain.objects.exclude(pk=connection.domain_id).update(automatic_sync=False)
    tasks.sync_changes()
    OrmQ.objects.all().delete()
    for run in SyncRun.objects.filter(state=RunState.QUEUED):
        runs.carry_out(run.pk)
    return connection.sync_runs.latest("id")


def test_people_are_read_every_five_minutes_and_the_rest_every_fifteen(sandbox, mirrored):
    kinds = []
    for _ in range(6):
        pass_minutes(5)
        sandbox.requests.clear()
        run = run_regularly(mirrored)
        kinds.append(run.kind)
        own = LISTINGS if run.kind == SyncKind.CHANGES else ["/api/v2/users"]
        assert run.calls == len(own)
        assert get_paths(sandbox) == own

    assert kinds == ["people", "people", "changes", "people", "people", "changes"]


def test_a_title_changed_between_the_listings_is_found_in_one_call(sandbox, mirrored):
    sandbox.directory.set_title(5, "Found between")
    pass_minutes(5)

    run = run_regularly(mirrored)

    assert (run.kind, run.calls, run.changed) == (SyncKind.PEOPLE, 1, 1)
    assert Person.objects.get(connection=mirrored, remote_id="5").title == "Found between"


def test_somebody_who_moved_between_the_listings_brings_the_teams_with_them(sandbox, mirrored):
    sandbox.directory.membership_touches_user = True
    teams = list(sandbox.directory.teams)[1:3]
    sandbox.directory.move(7, teams)

    run = run_sync(mirrored, SyncKind.PEOPLE)

    assert Person.objects.get(connection=mirrored, remote_id="7").team_ids == sorted(map(str, teams))
    assert get_paths(sandbox) == ["/api/v2/users", "/api/v2/teams"]
    assert run.calls == 2


def test_a_membership_that_only_the_team_tells_outlives_a_reading_of_people(sandbox, mirrored):
    person = Person.objects.filter(connection=mirrored).exclude(team_ids=[]).first()
    sandbox.faults.add(
        "set_field",
        path="/api/v2/users",
        record=int(person.remote_id),
        field="relationships.teams.data",
        value=[],
        times=None,
    )
    sandbox.directory.set_title(int(person.remote_id), "Listed by the team alone")

    run_sync(mirrored, SyncKind.PEOPLE)

    now = Person.objects.get(pk=person.pk)
    assert (now.title, now.team_ids) == ("Listed by the team alone", person.team_ids)


def test_a_reading_of_people_keeps_where_the_mailboxes_were_read_to(sandbox, mirrored):
    before = mirrored.sync_runs.latest("id").mailboxes_watermark
    run = run_sync(mirrored, SyncKind.PEOPLE)

    assert before is not None
    assert run.mailboxes_watermark == before


def test_without_leave_to_read_people_every_regular_sync_reads_the_rest(sandbox, mirrored):
    mirrored.scopes_switched_off = ["users.all"]
    mirrored.save(update_fields=["scopes_switched_off"])
    before = get_mirror(mirrored)["Person"]

    run = run_regularly(mirrored)

    assert run.kind == SyncKind.CHANGES
    assert get_mirror(mirrored)["Person"] == before


@pytest.mark.parametrize("kind", [SyncKind.PEOPLE, SyncKind.CHANGES])
def test_the_first_regular_sync_of_an_authorisation_reads_everything(sandbox, connection, kind):
    assert run_sync(connection, kind).kind == SyncKind.FULL


def test_after_a_reconnection_the_next_sync_reads_everything(sandbox, mirrored, bystander, connect, owner):
    """Another person may have connected, who sees other records: what was read before is no ground to build on."""
    assert run_sync(mirrored, SyncKind.CHANGES).kind == SyncKind.CHANGES
    again = connect(mirrored.domain, owner)
    assert again.pk == mirrored.pk
    assert run_sync(bystander, SyncKind.CHANGES).kind == SyncKind.CHANGES
    sandbox.directory.remove_user(9)
    sandbox.requests.clear()

    run = run_sync(again, SyncKind.CHANGES)

    assert (run.kind, run.state, run.people_read) == (SyncKind.FULL, RunState.COMPLETE, 23)
    assert get_paths(sandbox) == LISTINGS
    assert not any("filter" in entry.query for entry in sandbox.requests)
    assert Person.objects.get(connection=again, remote_id="9").retired_at is not None
    assert run_sync(again, SyncKind.CHANGES).kind == SyncKind.CHANGES


def read_back(connection):
    """The nightly schedule's tick, carried out; the run it asked for, or None."""
    Domain.objects.exclude(pk=connection.domain_id).update(automatic_sync=False)
    before = connection.sync_runs.count()
    tasks.read_mailboxes_back()
    OrmQ.objects.all().delete()
    for run in SyncRun.objects.filter(state=RunState.QUEUED):
        runs.carry_out(run.pk)
    return connection.sync_runs.latest("id") if connection.sync_runs.count() > before else None


def test_a_night_without_a_full_sync_reads_every_mailbox_once(sandbox, mirrored):
    sandbox.directory.set_signature(5001, "<p>Mine</p>")
    gone = sandbox.directory.mailboxes_of(3)[0].id
    sandbox.directory.remove_mailbox(gone)
    people = list(Person.objects.order_by("pk").values())
    pass_minutes(13 * 60)
    sandbox.requests.clear()

    run = read_back(mirrored)
    again = read_back(mirrored)

    assert (run.kind, run.state, run.calls, again) == (SyncKind.MAILBOXES, RunState.COMPLETE, 1, None)
    assert get_paths(sandbox) == ["/api/v2/mailboxes"]
    assert Mailbox.objects.get(connection=mirrored, remote_id="5001").signature_html == "<p>Mine</p>"
    assert Mailbox.objects.get(connection=mirrored, remote_id=str(gone)).retired_at is not None
    assert list(Person.objects.order_by("pk").values()) == people


def test_a_read_back_leaves_what_the_next_sync_reads_as_it_was(sandbox, mirrored):
    pass_minutes(13 * 60)
    sandbox.directory.set_title(5, "Changed before the night")
    read_back(mirrored)

    run = run_sync(mirrored, kind=SyncKind.CHANGES)

    assert run.changed == 1
    assert Person.objects.get(connection=mirrored, remote_id="5").title == "Changed before the night"


def test_nothing_is_read_back_where_the_full_sync_was_or_the_domain_reads_by_hand(sandbox, mirrored):
    sandbox.requests.clear()
    assert read_back(mirrored) is None

    pass_minutes(13 * 60)
    Domain.objects.filter(pk=mirrored.domain_id).update(automatic_sync=False)

    assert read_back(mirrored) is None
    assert get_paths(sandbox) == []
