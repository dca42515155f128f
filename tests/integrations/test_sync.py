"""Connector to mirror: what a run reads, changes, keeps and retires, over real HTTP."""

from __future__ import annotations

from integrations import sync
from integrations.models import Mailbox, Person, RunState, SyncKind, Team


def run_sync(connection, kind=SyncKind.FULL, **options):
    run = sync.request_sync(connection, kind=kind, by_label="test", **options)
    return sync.carry_out(run.pk)


def test_first_sync_mirrors_every_person_team_and_mailbox(sandbox, connection):
    run = run_sync(connection)

    assert (run.state, run.cause) == (RunState.COMPLETE, "")
    assert set(Person.objects.values_list("remote_id", flat=True)) == {str(i) for i in sandbox.directory.users}
    assert set(Team.objects.values_list("remote_id", "name")) == {
        (str(team.id), team.name) for team in sandbox.directory.teams.values()
    }
    assert set(Mailbox.objects.values_list("remote_id", flat=True)) == {str(i) for i in sandbox.directory.mailboxes}


def test_replaying_an_unchanged_directory_writes_no_row(sandbox, connection):
    run_sync(connection)
    before = list(Person.objects.values()) + list(Mailbox.objects.values()) + list(Team.objects.values())

    again = run_sync(connection)

    assert again.total_changes == 0
    assert list(Person.objects.values()) + list(Mailbox.objects.values()) + list(Team.objects.values()) == before
