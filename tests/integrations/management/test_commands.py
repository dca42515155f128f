"""The door's commands: what they print, what they change, and what an operator can mend."""

from __future__ import annotations

import signal

import pytest
import requests
from django.core.management import CommandError, call_command

from integrations.models import LedgerEntry, Person, SyncRun
from tests.support.connections import get_values
from tests.support.installation import wait_until


def test_syncdirectory_reads_everything_and_says_how_much(sandbox, connection, bystander, capsys):
    before = get_values(bystander)

    call_command("syncdirectory", domain="acme.example")

    said = capsys.readouterr().out
    total = 24 + 4 + len(sandbox.directory.mailboxes)
    assert said.startswith(
        f"Read 24 people, 4 teams and {len(sandbox.directory.mailboxes)} mailboxes in 3 calls: "
        f"{total} new, 0 changed, 0 gone, 0 rejected."
    )
    assert Person.objects.filter(connection=connection).count() == 24
    assert not Person.objects.filter(connection=bystander).exists()
    assert get_values(bystander) == before


def test_syncdirectory_dry_run_says_the_same_and_writes_nothing(sandbox, connection, capsys):
    call_command("syncdirectory", domain="acme.example", dry_run=True)

    assert "0 rejected, nothing written." in capsys.readouterr().out
    assert (Person.objects.count(), SyncRun.objects.count()) == (0, 0)
    assert set(LedgerEntry.objects.filter(action="call").values_list("job", flat=True)) == {"sync preview"}


def test_syncdirectory_changes_reads_what_changed(sandbox, connection, capsys):
    call_command("syncdirectory", domain="acme.example")
    sandbox.directory.set_title(5, "New title")

    call_command("syncdirectory", domain="acme.example", changes=True)

    assert "0 new, 1 changed, 0 gone" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["syncdirectory", "checkconnection"])
def test_a_domain_that_is_not_there_or_not_connected_is_named(sandbox, domain, command):
    for name in ("nowhere.example", "acme.example"):
        with pytest.raises(CommandError, match=f"{name} is not connected"):
            call_command(command, domain=name)
    assert sandbox.requests == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_syncdirectory_fails_where_the_sync_fails(sandbox, connection, dry_run):
    sandbox.faults.add("truncated_json", path="/api/v2/users", times=None)

    with pytest.raises(CommandError):
        call_command("syncdirectory", domain="acme.example", dry_run=dry_run)


@pytest.mark.parametrize("dry_run", [True, False])
def test_syncdirectory_without_any_permission_makes_no_call(sandbox, connect, domain, owner, dry_run):
    connect(domain, owner, scopes=("prospects.read",))

    with pytest.raises(CommandError, match="none of the permissions"):
        call_command("syncdirectory", domain="acme.example", dry_run=dry_run)
    assert sandbox.requests == []


def test_checkconnection_tries_each_granted_permission_once(sandbox, connection, capsys):
    call_command("checkconnection", domain="acme.example")

    assert capsys.readouterr().out.splitlines() == [
        "users.all: ok",
        "teams.read: ok",
        "mailboxes.all: ok",
        "Outreach answers, and every permission that was granted works.",
    ]
    assert [(e.method, e.path, e.status) for e in sandbox.requests] == [
        ("GET", "/api/v2/users", 200),
        ("GET", "/api/v2/teams", 200),
        ("GET", "/api/v2/mailboxes", 200),
    ]


def test_checkconnection_leaves_what_was_not_granted_alone(sandbox, connect, domain, owner, capsys):
    connect(domain, owner, scopes=("teams.read",))

    call_command("checkconnection", domain="acme.example")

    assert capsys.readouterr().out.splitlines()[0] == "teams.read: ok"
    assert [entry.path for entry in sandbox.requests] == ["/api/v2/teams"]


def test_checkconnection_says_which_permission_fails(sandbox, connection, capsys):
    sandbox.faults.add("forbidden", path="/api/v2/teams")

    with pytest.raises(CommandError, match="governance profile"):
        call_command("checkconnection", domain="acme.example")

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["users.all", "teams.read", "mailboxes.all"]
    assert (lines[0], lines[2]) == ("users.all: ok", "mailboxes.all: ok")
    assert "governance profile" in lines[1]


def test_a_company_without_teams_passes_the_check(sandbox, connection, capsys):
    sandbox.faults.add("empty_collection", path="/api/v2/teams")

    call_command("checkconnection", domain="acme.example")

    assert "teams.read: ok" in capsys.readouterr().out


def test_outreachsandbox_serves_until_it_is_asked_to_stop(installation, tmp_path):
    ready = tmp_path / "ready"
    process = installation.start(
        "outreachsandbox", "--port=0", "--people=10", "--teams=2", f"--ready-file={ready}"
    )
    wait_until(ready.exists, seconds=30)
    address = ready.read_text().strip()

    answer = requests.get(f"{address}/api/v2/users", timeout=10)
    process.send_signal(signal.SIGTERM)

    assert answer.status_code == 401
    assert process.wait(10) == 0
    assert process.stdout and address in process.stdout.read()
