"""What `.all` also allows: the sandbox does it, so that a test can prove the portal never asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api


@pytest.fixture
def all_powers(connect: Callable[..., Api]) -> Api:
    return connect(["users.all", "teams.all", "mailboxes.all", "prospects.all"])


def post(api: Api, kind: str, plural: str, **attributes: Any) -> requests.Response:
    return api.call("POST", plural, data=json.dumps({"data": {"type": kind, "attributes": attributes}}))


def test_user_is_created_and_changed(sandbox: Sandbox, all_powers: Api) -> None:
    created = post(
        all_powers, "user", "users", email="new@acme.example", firstName="New", lastName="Person", locked=True
    )
    user_id = created.json()["data"]["id"]
    changed = all_powers.patch("user", f"users/{user_id}", title="Trainee", locked=False)

    user = sandbox.directory.users[user_id]
    assert (created.status_code, changed.status_code) == (201, 200)
    assert (user.name, user.title, user.locked) == ("New Person", "Trainee", False)


def test_mail_address_of_a_user_is_not_updatable(sandbox: Sandbox, all_powers: Api) -> None:
    assert all_powers.patch("user", "users/3", email="other@acme.example").status_code == 501
    assert sandbox.directory.users[3].email == "siobhan.oconnell@acme.example"


def test_mailbox_is_created_and_deleted(sandbox: Sandbox, all_powers: Api) -> None:
    created = post(all_powers, "mailbox", "mailboxes", email="second@acme.example")
    mailbox_id = created.json()["data"]["id"]
    assert sandbox.directory.users[1].mailbox_ids == (5001, mailbox_id)

    deleted = all_powers.call("DELETE", f"mailboxes/{mailbox_id}")

    assert (created.status_code, deleted.status_code, deleted.content) == (201, 204, b"")
    assert mailbox_id not in sandbox.directory.mailboxes
    assert sandbox.directory.users[1].mailbox_ids == (5001,)
    assert all_powers.get(f"mailboxes/{mailbox_id}").status_code == 404


def test_team_is_created_renamed_and_deleted(sandbox: Sandbox, all_powers: Api) -> None:
    team_id = post(all_powers, "team", "teams", name="Founders").json()["data"]["id"]
    all_powers.patch("team", f"teams/{team_id}", name="Elders")
    assert sandbox.directory.teams[team_id].name == "Elders"

    assert all_powers.call("DELETE", f"teams/{team_id}").status_code == 204
    assert team_id not in sandbox.directory.teams


def test_deleted_team_leaves_its_members(sandbox: Sandbox, all_powers: Api) -> None:
    members = sandbox.directory.teams[103].user_ids

    all_powers.call("DELETE", "teams/103")

    assert members
    assert all(103 not in sandbox.directory.users[user_id].team_ids for user_id in members)


def test_prospect_with_a_taken_address_is_refused_in_the_recorded_words(
    sandbox: Sandbox, all_powers: Api
) -> None:
    taken = sandbox.directory.prospects[90_001].emails[1]

    reply = post(all_powers, "prospect", "prospects", emails=["new@x.example", taken])

    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {
            "id": "validationError",
            "title": "Validation Error",
            "detail": "Contacts email hash has already been taken.",
            "source": {"pointer": "/data"},
        }
    ]


def test_prospect_is_created_changed_and_deleted(sandbox: Sandbox, all_powers: Api) -> None:
    created = post(all_powers, "prospect", "prospects", emails=["new@x.example"], tags=["vip"])
    prospect_id = created.json()["data"]["id"]
    all_powers.patch("prospect", f"prospects/{prospect_id}", custom7="seven", emails=["other@x.example"])

    attributes = all_powers.get(f"prospects/{prospect_id}").json()["data"]["attributes"]
    assert (attributes["emails"], attributes["tags"]) == (["other@x.example"], ["vip"])
    assert (attributes["custom7"], attributes["custom8"]) == ("seven", None)
    assert all_powers.call("DELETE", f"prospects/{prospect_id}").status_code == 204
    assert all_powers.ids("prospects", {"filter[emails]": "other@x.example"}) == []


@pytest.mark.parametrize(
    ("kind", "plural", "attributes", "status"),
    [
        ("team", "teams", {}, 422),
        ("user", "users", {"email": "x@acme.example"}, 422),
        ("team", "users", {"name": "x"}, 400),
        ("team", "teams", {"name": "x" * 256}, 422),
        ("prospect", "prospects", {"emails": [1]}, 422),
        ("prospect", "prospects", {"addedAt": "yesterday"}, 422),
    ],
)
def test_incomplete_or_wrong_records_are_refused(
    sandbox: Sandbox, all_powers: Api, kind: str, plural: str, attributes: dict[str, Any], status: int
) -> None:
    before = dict(sandbox.directory.table(plural))

    assert post(all_powers, kind, plural, **attributes).status_code == status
    assert sandbox.directory.table(plural) == before


def test_rep_changes_nobody(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    reply = connect(["users.all"], user_id=3).patch("user", "users/5", title="Fired")

    assert reply.status_code == 403
    assert sandbox.directory.users[5].title == "Account Executive"


def test_relationships_in_a_body_are_501(sandbox: Sandbox, all_powers: Api) -> None:
    document = {"data": {"type": "user", "id": 3, "relationships": {"teams": {"data": []}}}}

    assert all_powers.call("PATCH", "users/3", data=json.dumps(document)).status_code == 501
    assert sandbox.directory.users[3].team_ids != ()
