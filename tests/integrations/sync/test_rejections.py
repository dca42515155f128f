"""A record whose identity does not fit is rejected with its reason; too many of them make a run incomplete."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.urls import reverse

from integrations import tasks
from integrations.models import Connection, Mailbox, Notice, Person, RejectedRecord, RunState, SyncKind
from integrations.notices.sending import send_notice
from integrations.notices.watch import watch_connections
from tests.support.sync_runs import get_mirror, run_sync

ALL = {"path": "/api/v2/users", "times": None}


def grow(sandbox: Any, people: int) -> None:
    """So many more people, so that one record is no more than 2 % of them."""
    for number in range(1000, 1000 + people):
        sandbox.directory.add_user(f"person{number}@acme.example", "Person", str(number), id=number)


def get_rejected(connection: Connection) -> set[tuple[str, str, str, int]]:
    rows = RejectedRecord.objects.filter(connection=connection)
    return set(rows.values_list("kind", "remote_id", "reason", "number"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", "not an address"),
        ("email", 7),
        ("email", {"address": "kim@acme.example"}),
        ("email", "x" * 2_000_000 + "@acme.example"),
        ("attributes", None),
        ("attributes", "broken"),
    ],
)
def test_a_record_that_does_not_fit_is_rejected_and_keeps_what_it_was(sandbox, mirrored, field, value):
    grow(sandbox, 40)
    run_sync(mirrored)
    before = Person.objects.filter(connection=mirrored, remote_id="6").values().get()
    sandbox.directory.set_title(6, "Not taken over")
    sandbox.directory.set_title(8, "Taken over")
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field=field, value=value)

    run = run_sync(mirrored)

    assert (run.state, run.rejected, run.retired) == (RunState.COMPLETE, 1, 0)
    [row] = RejectedRecord.objects.filter(connection=mirrored)
    assert (row.run, row.kind, row.remote_id, row.number) == (run, "person", "6", 1)
    assert row.reason and len(row.reason) < 500
    assert Person.objects.filter(connection=mirrored, remote_id="6").values().get() == before
    assert Person.objects.get(connection=mirrored, remote_id="8").title == "Taken over"


def test_ids_as_text_are_the_same_ids(sandbox, mirrored):
    sandbox.settings.ids_as_strings = True

    run = run_sync(mirrored)

    assert (run.added, run.changed, run.retired) == (0, 0, 0)


@pytest.mark.parametrize("value", [None, "", "six", -6, 6.5, True, {"id": 6}, [6], 10**40, "６"])
def test_a_record_without_a_usable_id_keeps_everybody(sandbox, mirrored, value):
    sandbox.faults.add("set_field", path="/api/v2/users", record=6, field="id", value=value)

    run = run_sync(mirrored)

    assert (run.rejected, run.retired) == (1, 0)
    assert get_rejected(mirrored) == {("person", "", "id is not an id", 1)}
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 24


def test_a_rejected_record_is_kept_once_until_it_fits_or_is_gone(sandbox, mirrored):
    for number in (6, 7, 8):
        sandbox.faults.add("set_field", **ALL, record=number, field="email", value="none")
    first = run_sync(mirrored)
    since = dict(RejectedRecord.objects.values_list("remote_id", "first_seen_at"))

    second = run_sync(mirrored)

    reason = "email is not an address"
    assert (first.rejected, second.rejected) == (3, 3)
    assert get_rejected(mirrored) == {("person", id, reason, 1) for id in ("6", "7", "8")}
    assert dict(RejectedRecord.objects.values_list("remote_id", "first_seen_at")) == since
    assert set(RejectedRecord.objects.values_list("run", flat=True)) == {second.pk}

    sandbox.faults.clear()
    sandbox.directory.remove_user(7)
    sandbox.directory.set_title(6, "Fits again")
    sandbox.faults.add("set_field", **ALL, record=8, field="email", value="none")
    run_sync(mirrored, SyncKind.PEOPLE)

    assert {row[1] for row in get_rejected(mirrored)} == {"7", "8"}

    run_sync(mirrored)

    assert {row[1] for row in get_rejected(mirrored)} == {"8"}


def test_records_without_an_id_share_a_row_that_counts_them(sandbox, mirrored):
    sandbox.faults.add("set_field", path="/api/v2/users", field="id", value=None, times=2)

    run_sync(mirrored)
    run = run_sync(mirrored)

    assert (run.state, run.rejected, run.retired) == (RunState.INCOMPLETE, 24, 0)
    assert get_rejected(mirrored) == {("person", "", "id is not an id", 24)}

    assert run_sync(mirrored).state == RunState.COMPLETE
    assert get_rejected(mirrored) == set()


@pytest.mark.parametrize(("people", "state"), [(26, RunState.COMPLETE), (25, RunState.INCOMPLETE)])
def test_more_than_two_per_cent_are_too_many(sandbox, connection, bystander, people, state):
    grow(sandbox, people - 1)  # with the 24 there are, and one that is rejected in 50 and 49
    sandbox.directory.add_user("no address", "No", "Address")

    run = run_sync(connection)

    total = 24 + people
    sentence = f"1 of {total} people could not be imported."
    assert (run.state, run.people_read, run.rejected) == (state, total - 1, 1)
    assert run.cause.startswith(sentence) == (state == RunState.INCOMPLETE)


def test_what_a_sync_of_changes_did_not_meet_is_rejected_still(sandbox, mirrored):
    sandbox.faults.add("set_field", **ALL, field="email", value=None)
    run_sync(mirrored)
    sandbox.faults.clear()
    sandbox.requests.clear()

    changes = run_sync(mirrored, SyncKind.PEOPLE)

    assert (changes.state, changes.kind, changes.rejected) == (RunState.INCOMPLETE, SyncKind.PEOPLE, 0)
    assert changes.cause.startswith("24 of 24 people could not be imported")
    assert run_sync(mirrored).state == RunState.COMPLETE
    assert run_sync(mirrored, SyncKind.PEOPLE).state == RunState.COMPLETE


@pytest.mark.parametrize(
    ("place", "field", "kind"), [("users", "email", "person"), ("mailboxes", "emailSignature", "mailbox")]
)
def test_an_incomplete_run_removes_nobody(sandbox, mirrored, place, field, kind):
    sandbox.directory.remove_user(9)
    for number in (5001, 5002) if kind == "mailbox" else (6, 7):
        path = f"/api/v2/{place}"
        sandbox.faults.add("set_field", path=path, record=number, field=field, value=7, times=1)

    held = run_sync(mirrored, confirms_removals=True)

    assert (held.state, held.retired) == (RunState.INCOMPLETE, 0)
    assert not Person.objects.filter(connection=mirrored).exclude(retired_at=None).exists()
    assert not Mailbox.objects.filter(connection=mirrored).exclude(retired_at=None).exists()

    run = run_sync(mirrored)

    assert (run.state, run.retired > 1) == (RunState.COMPLETE, True)
    assert Person.objects.get(connection=mirrored, remote_id="9").retired_at is not None


# ── a sync of changes stays one ──────────────────────────────────────────────────────────────────

SPOILT = [
    ("drop_field", {"field": "updatedAt"}),
    ("set_field", {"field": "updatedAt", "value": None}),
    ("set_field", {"field": "updatedAt", "value": "yesterday"}),
    ("set_field", {"field": "updatedAt", "value": 1764000000}),
    ("set_field", {"field": "email", "value": None}),
    ("drop_field", {"field": "id"}),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("kind", "options"), SPOILT)
def test_the_regular_sync_reads_changes_alone_however_odd_the_records(
    sandbox, connection, bystander, kind, options
):
    for place in ("users", "mailboxes"):
        sandbox.faults.add(kind, path=f"/api/v2/{place}", times=None, **options)
    run_sync(connection)
    sandbox.clock.advance(120)
    run_sync(connection, SyncKind.CHANGES)
    sandbox.requests.clear()

    people = run_sync(connection, SyncKind.PEOPLE)
    changes = run_sync(connection, SyncKind.CHANGES)

    assert (people.kind, changes.kind) == (SyncKind.PEOPLE, SyncKind.CHANGES)
    asked = [entry for entry in sandbox.requests if not entry.path.endswith("teams")]
    assert asked and all("filter[updatedAt][gte]" in entry.parameters for entry in asked)


@pytest.mark.parametrize("value", ["yesterday", None])
def test_a_change_is_found_though_no_record_says_when_it_was_changed(sandbox, mirrored, value):
    sandbox.faults.add("set_field", **ALL, field="updatedAt", value=value)
    run_sync(mirrored)
    sandbox.directory.set_title(6, "Changed since")

    run_sync(mirrored, SyncKind.PEOPLE)

    assert Person.objects.get(connection=mirrored, remote_id="6").title == "Changed since"


# ── who is told ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db(transaction=True)
def test_everybody_is_told_of_an_incomplete_run_until_it_is_over(client, sandbox, mirrored, owner, capsys):
    sandbox.faults.add("set_field", **ALL, field="email", value=None)
    before = get_mirror(mirrored)
    sentence = "24 of 24 people could not be imported."

    with pytest.raises(CommandError, match="The sync would end as: incomplete"):
        call_command("syncdirectory", domain="acme.example", dry_run=True)
    assert not RejectedRecord.objects.exists()
    with pytest.raises(CommandError, match="The sync ended as: incomplete"):
        call_command("syncdirectory", domain="acme.example")

    said = capsys.readouterr().out
    assert said.count(sentence) == 2 and "24 rejected." in said
    assert get_mirror(mirrored) == before
    client.force_login(owner)
    overview = reverse("portal:overview", args=["acme.example"])
    run = mirrored.sync_runs.first()
    for address in (
        overview,
        reverse("integrations:outreach", args=["acme.example"]),
        reverse("integrations:run", args=["acme.example", run.pk]),
    ):
        assert f"<p>{sentence}" in client.get(address).content.decode()
    for notice_id in watch_connections():
        send_notice(notice_id)
    [message] = mail.outbox
    assert (message.to, sentence in message.body) == ([owner.email], True)

    sandbox.faults.clear()
    run_sync(mirrored)

    assert b"The last sync is incomplete" not in client.get(overview).content
    for notice_id in watch_connections():
        send_notice(notice_id)
    assert "resolved" in mail.outbox[-1].subject
    assert not Notice.objects.filter(connection=mirrored, ended_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_what_was_not_sent_is_said_for_each_attribute(client, sandbox, mirrored, owner, capsys):
    sandbox.faults.add("drop_field", **ALL, field="bridgePhone")
    sandbox.faults.add("drop_field", **ALL, field="locked", record=6)
    sandbox.faults.add("set_field", **ALL, field="title", record=7, value=7)
    sentences = [
        "Outreach did not send bridgePhone for 24 people; the stored value stays.",
        "Outreach did not send locked for 1 person; nothing is written to them until it is "
        "known, and a known lock stays.",
        "Outreach sent title for 1 person in an unknown form; the stored value stays.",
    ]

    call_command("syncdirectory", domain="acme.example")

    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line in sentences] == sentences
    sandbox.faults.clear()
    run = mirrored.sync_runs.first()
    tasks.sync_changes()
    tasks.sync_directory(run_id=mirrored.sync_runs.first().pk)
    client.force_login(owner)
    for address in (
        reverse("portal:overview", args=["acme.example"]),
        reverse("integrations:outreach", args=["acme.example"]),
        reverse("integrations:run", args=["acme.example", run.pk]),
    ):
        text = client.get(address).content.decode()
        assert [sentence in text for sentence in sentences] == [True, True, True]
    call_command("syncdirectory", domain="acme.example")
    assert (
        "Outreach did not send"
        not in client.get(reverse("portal:overview", args=["acme.example"])).content.decode()
    )
