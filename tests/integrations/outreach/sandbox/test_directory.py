"""The organisation's state: both sides of each relationship, and nobody else, move."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.directory import Directory

PLURALS = ("users", "teams", "mailboxes", "prospects")


@pytest.fixture
def directory(sandbox: Sandbox) -> Directory:
    return sandbox.directory


def snapshot(directory: Directory) -> dict[str, dict[int, Any]]:
    return {plural: dict(directory.table(plural)) for plural in PLURALS}


def changed(before: dict[str, dict[int, Any]], directory: Directory) -> set[tuple[str, int]]:
    """Which records are new, gone or different."""
    after = snapshot(directory)
    return {
        (plural, record_id)
        for plural in PLURALS
        for record_id in before[plural].keys() | after[plural].keys()
        if before[plural].get(record_id) != after[plural].get(record_id)
    }


def test_title_changes_one_user_and_its_instant(directory: Directory) -> None:
    before = snapshot(directory)

    user = directory.set_title(5, "Chief Listener")

    assert changed(before, directory) == {("users", 5)}
    assert user.updated_at > before["users"][5].updated_at
    assert before["users"][5].title == "Account Executive"


def test_signature_changes_one_mailbox(directory: Directory) -> None:
    before = snapshot(directory)

    directory.set_signature(5003, "<p>mine</p>")

    assert changed(before, directory) == {("mailboxes", 5003)}


def test_move_changes_the_teams_left_and_joined(directory: Directory) -> None:
    before = snapshot(directory)
    (left,) = directory.users[5].team_ids
    joined = next(team_id for team_id in directory.teams if team_id != left)

    user = directory.move(5, [joined])

    assert changed(before, directory) == {("users", 5), ("teams", left), ("teams", joined)}
    assert 5 not in directory.teams[left].user_ids
    assert directory.teams[joined].user_ids[-1] == 5
    assert user.updated_at == before["users"][5].updated_at


def test_move_can_touch_the_user(directory: Directory) -> None:
    directory.membership_touches_user = True
    before = directory.users[5].updated_at

    assert directory.move(5, []).updated_at > before


def test_removed_user_takes_mailboxes_and_memberships_along(directory: Directory) -> None:
    before = snapshot(directory)
    user = directory.users[4]

    directory.remove_user(4)

    assert changed(before, directory) == {
        ("users", 4),
        *(("mailboxes", mailbox_id) for mailbox_id in user.mailbox_ids),
        *(("teams", team_id) for team_id in user.team_ids),
    }
    assert len(user.mailbox_ids) == 2


def test_added_user_is_in_its_teams_and_newest(directory: Directory) -> None:
    before = snapshot(directory)

    user = directory.add_user("new@acme.example", "New", "Person", team_ids=[102], title="Trainee")

    assert changed(before, directory) == {("users", user.id), ("teams", 102)}
    assert (user.name, user.username, user.team_ids) == ("New Person", "new@acme.example", (102,))
    assert user.created_at > max(each.created_at for each in before["users"].values())


def test_removed_mailbox_leaves_its_user(directory: Directory) -> None:
    first, second = directory.users[4].mailbox_ids

    directory.remove_mailbox(first)

    assert directory.users[4].mailbox_ids == (second,)
    assert [mailbox.id for mailbox in directory.mailboxes_of(4)] == [second]


def test_records_are_found_by_address_and_name(directory: Directory) -> None:
    assert directory.user_by_email("bob.tables@acme.example").last_name == "Tables"
    assert directory.team_named("Enterprise EMEA").id == 101


@pytest.mark.parametrize("attribute", ["title", "team_ids"])
def test_records_cannot_be_changed_behind_the_directorys_back(directory: Directory, attribute: str) -> None:
    with pytest.raises(AttributeError):
        setattr(directory.users[5], attribute, "Chief Listener")
