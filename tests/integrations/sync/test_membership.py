"""Who is in which team, told by either side or by one alone, kept where a team cannot be read."""

from __future__ import annotations

import pytest

from integrations.models import Person, SyncKind, Team
from tests.support.sync_runs import run_sync


@pytest.mark.parametrize(
    ("kind", "touches_user"),
    # A reading of changed people alone cannot see what changed nobody; the next of the listings does.
    [
        (kind, touches)
        for kind in SyncKind
        for touches in (True, False)
        if kind != SyncKind.MAILBOXES and (touches or kind != SyncKind.PEOPLE)
    ],
)
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


@pytest.mark.parametrize("kind", [SyncKind.CHANGES, SyncKind.FULL])
def test_a_team_that_is_rejected_keeps_its_members(sandbox, mirrored, kind):
    before = {row.remote_id: row.team_ids for row in Person.objects.filter(connection=mirrored)}
    broken = next(id for id, team in sandbox.directory.teams.items() if team.user_ids)
    sandbox.faults.add("drop_field", path="/api/v2/users", field="relationships.teams", times=None)
    sandbox.faults.add("set_field", path="/api/v2/teams", record=broken, field="attributes", value="none")

    run = run_sync(mirrored, kind)

    assert (run.rejected, run.retired) == (1, 0)
    assert {row.remote_id: row.team_ids for row in Person.objects.filter(connection=mirrored)} == before


@pytest.mark.parametrize("kind", [SyncKind.CHANGES, SyncKind.FULL])
def test_teams_that_are_held_keep_their_members(sandbox, connection, kind):
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
