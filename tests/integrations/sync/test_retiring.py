"""Who is retired: those gone from a complete listing, never because of a bad page or a sudden emptiness."""

from __future__ import annotations

import pytest

from integrations.models import Mailbox, Person, RunState, SyncKind, Team
from tests.support.sync_runs import SMALL_PAGES, run_sync


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

    sandbox.directory.users.create(id=9, email=gone.email, first_name="Back", last_name="Again")
    run_sync(mirrored)

    back = Person.objects.get(connection=mirrored, remote_id="9")
    assert (back.retired_at, back.first_name) == (None, "Back")


@pytest.mark.parametrize(
    ("kind", "options", "state"),
    [
        ("status", {"status": 500}, RunState.WAITING),
        ("truncated_json", {}, RunState.WAITING),
        ("body", {"value": '{"data": [{"id": NaN}]}'}, RunState.WAITING),
        ("body", {"value": "\ufeff{}"}, RunState.WAITING),
        ("body", {"value": '{"data": [], "data": []}'}, RunState.WAITING),
        ("body", {"value": '{"data": ' + "[" * 100_000}, RunState.WAITING),
        ("huge", {"bytes": 20_000_000}, RunState.WAITING),
        ("next_link", {"to": "other-host"}, RunState.WAITING),
        ("next_link", {"to": "userinfo"}, RunState.WAITING),
        ("next_link", {"to": "https"}, RunState.WAITING),
        ("next_link", {"to": "itself"}, RunState.WAITING),
        ("redirect", {}, RunState.WAITING),
        ("forbidden", {}, RunState.FAILED),
    ],
)
def test_a_bad_second_page_retires_nobody_and_leaves_no_half_page(
    sandbox, connection, bystander, small_pages, monkeypatch, kind, options, state
):
    monkeypatch.setattr("integrations.outreach.pace.FIRST_BACKOFF_SECONDS", 0.01)
    run_sync(connection)
    sandbox.directory.remove_user(2)
    for number in sandbox.directory.users:
        sandbox.directory.set_title(number, "New title")
    sandbox.faults.add(kind, path="/api/v2/users", nth=2, times=None, **options)

    run = run_sync(connection)

    assert run.state == state
    assert run.retired == 0 and run.cause
    assert Person.objects.filter(connection=connection).exclude(retired_at=None).count() == 0
    titles = Person.objects.filter(connection=connection, title="New title")
    assert titles.count() == SMALL_PAGES  # the first page, whole; nothing of the second
    assert not Person.objects.filter(connection=bystander).exists()


def test_a_suddenly_empty_collection_removes_nobody_until_somebody_confirms(sandbox, mirrored, owner):
    sandbox.faults.add("empty_collection", path="/api/v2/users", times=2)

    held = run_sync(mirrored)
    live = Person.objects.filter(connection=mirrored, retired_at=None).count()
    confirmed = run_sync(mirrored, confirms_removals=True)

    assert (held.state, held.retired, held.held_removals, live) == (RunState.COMPLETE, 0, 24, 24)
    assert "24 of 24 people" in held.cause and "confirm" in held.cause
    assert confirmed.retired == 24


@pytest.mark.parametrize("place", ["users", "teams", "mailboxes"])
@pytest.mark.parametrize("live", range(2, 11))
def test_a_small_company_that_is_suddenly_empty_keeps_everybody_until_somebody_confirms(
    sandbox, connection, place, live
):
    for number in sorted(sandbox.directory.table(place))[live:]:
        getattr(
            sandbox.directory, {"users": "remove_user", "teams": "remove_team"}.get(place, "remove_mailbox")
        )(number)
    while len(sandbox.directory.table(place)) < live:
        sandbox.directory.add_team(f"Team {len(sandbox.directory.teams)}")
    run_sync(connection)
    model = {"users": Person, "teams": Team, "mailboxes": Mailbox}[place]
    others = {each: each.objects.filter(retired_at=None).count() for each in (Person, Team, Mailbox)}
    sandbox.faults.add("empty_collection", path=f"/api/v2/{place}", times=2)

    held = run_sync(connection)
    kept = {each: each.objects.filter(retired_at=None).count() for each in others}
    confirmed = run_sync(connection, confirms_removals=True)

    assert (held.state, held.retired, held.held_removals, kept) == (RunState.COMPLETE, 0, live, others)
    assert f"{live} of {live} {model._meta.verbose_name_plural}" in held.cause
    assert confirmed.retired == live
    assert {each: each.objects.filter(retired_at=None).count() for each in others} == others | {model: 0}


def test_a_third_that_vanishes_at_once_is_held(sandbox, connection, other_domain):
    for number in range(100, 130):
        sandbox.directory.add_user(f"person{number}@acme.example", "Person", str(number))
    run_sync(connection)
    for number in list(sandbox.directory.users)[-20:]:
        sandbox.directory.remove_user(number)

    held = run_sync(connection)

    assert (held.retired, held.held_removals) == (0, 20)


def test_a_few_who_left_are_simply_retired(sandbox, mirrored):
    for number in (10, 11, 12):
        sandbox.directory.remove_user(number)

    assert run_sync(mirrored).held_removals == 0
    assert Person.objects.filter(connection=mirrored, retired_at=None).count() == 21
