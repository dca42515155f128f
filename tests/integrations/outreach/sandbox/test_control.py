"""The control door: another process sees and changes what a test in this one could."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api


class Door:
    def __init__(self, sandbox: Sandbox) -> None:
        self.root = f"{sandbox.base_url}/_sandbox/"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, self.root + path, json=body, timeout=10)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.call(method, path, body)
        assert reply.status_code == 200, reply.text
        return reply.json()


@pytest.fixture
def door(sandbox: Sandbox) -> Door:
    return Door(sandbox)


def test_state_tells_what_there_is(sandbox: Sandbox, door: Door) -> None:
    assert door.ask("GET", "state") == {
        "base_url": sandbox.base_url,
        "counts": {
            "users": 60,
            "teams": 5,
            "mailboxes": len(sandbox.directory.mailboxes),
            "prospects": 120,
        },
        "requests": 0,
        "faults": 0,
        "live_refresh_tokens": 0,
        "crashes": [],
    }


def test_user_is_read_changed_locked_and_moved(sandbox: Sandbox, door: Door) -> None:
    bystander = sandbox.directory.users[5]
    body = {"title": "Chief Listener", "locked": True, "team_ids": [104, 102]}

    changed = door.ask("PATCH", "users/4", body)

    user = sandbox.directory.users[4]
    assert (user.title, user.locked, user.team_ids) == ("Chief Listener", True, (104, 102))
    assert door.ask("GET", "users/4") == changed
    assert (changed["id"], changed["title"], changed["team_ids"]) == (4, "Chief Listener", [104, 102])
    assert 4 in sandbox.directory.teams[102].user_ids
    assert sandbox.directory.users[5] == bystander


def test_signature_is_edited_as_its_owner_would(sandbox: Sandbox, door: Door, api: Api) -> None:
    door.ask("PATCH", "mailboxes/5001", {"email_signature": "<p>mine</p>"})

    reply = api.get("mailboxes/5001")

    assert reply.json()["data"]["attributes"]["emailSignature"] == "<p>mine</p>"


def test_people_mailboxes_teams_and_prospects_come_and_go(sandbox: Sandbox, door: Door) -> None:
    team = door.ask("POST", "teams", {"name": "Founders"})
    person = {
        "email": "new@acme.example",
        "first_name": "New",
        "last_name": "Person",
        "team_ids": [team["id"]],
    }
    user = door.ask("POST", "users", person)
    mailbox = door.ask("POST", "mailboxes", {"user_id": user["id"], "email": "new@acme.example"})
    prospect = door.ask("POST", "prospects", {"emails": ["p@x.example"], "first_name": "P", "last_name": "Q"})

    assert sandbox.directory.teams[team["id"]].user_ids == (user["id"],)
    assert sandbox.directory.users[user["id"]].mailbox_ids == (mailbox["id"],)
    assert sandbox.directory.prospects.ids_with("p@x.example") == (prospect["id"],)
    for path in (f"users/{user['id']}", f"teams/{team['id']}", f"prospects/{prospect['id']}"):
        door.ask("DELETE", path)
    assert mailbox["id"] not in sandbox.directory.mailboxes
    assert door.call("GET", f"users/{user['id']}").status_code == 404


def test_whole_table_can_be_read(sandbox: Sandbox, door: Door) -> None:
    mailboxes = door.ask("GET", "mailboxes")

    assert {each["id"]: each["email_signature"] for each in mailboxes} == {
        each.id: each.email_signature for each in sandbox.directory.mailboxes.values()
    }


def test_faults_are_added_listed_and_cleared(door: Door, api: Api) -> None:
    door.ask("POST", "faults", {"kind": "bad_gateway", "path": "/api/v2/users", "times": 2})
    assert api.get("users").status_code == 502

    (fault,) = door.ask("GET", "faults")
    assert (fault["kind"], fault["hits"], fault["times"]) == ("bad_gateway", 1, 2)
    door.ask("DELETE", "faults")
    assert api.get("users").status_code == 200


def test_log_is_read_and_cleared_and_holds_no_control_calls(door: Door, api: Api) -> None:
    api.get("users?page[size]=1")

    (entry,) = door.ask("GET", "requests")
    assert (entry["method"], entry["path"], entry["query"]) == ("GET", "/api/v2/users", "page%5Bsize%5D=1")
    assert entry["status"] == 200
    door.ask("DELETE", "requests")
    assert door.ask("GET", "requests") == []


def test_settings_are_read_and_changed(sandbox: Sandbox, door: Door) -> None:
    changed = door.ask("PATCH", "settings", {"rotation": "lenient", "grant_scopes": ["teams.read"]})

    assert (changed["rotation"], changed["throttle_seconds"]) == ("lenient", 60)
    assert door.ask("GET", "settings") == changed
    assert sandbox.settings.grant_scopes == ("teams.read",)


def test_tokens_are_issued_expired_and_revoked(door: Door, sandbox: Sandbox, api: Api) -> None:
    token = door.ask("POST", "tokens", {"scopes": ["teams.read"], "user_id": 2})
    assert token["scope"] == "teams.read"
    assert sandbox.oauth.live_refresh_tokens == 2

    door.ask("POST", "expire")
    assert api.get("users/1").status_code == 401
    assert sandbox.oauth.live_refresh_tokens == 2

    door.ask("POST", "revoke")
    assert sandbox.oauth.live_refresh_tokens == 0


def test_time_and_limits_can_be_moved(door: Door, sandbox: Sandbox, api: Api) -> None:
    api.get("users/1")
    door.ask("POST", "reset-hour")
    door.ask("POST", "reset-throttle")
    before = sandbox.clock.now()
    door.ask("POST", "advance", {"seconds": 7200})

    assert sandbox.allowance.used(1) == 0
    assert 7200 <= sandbox.clock.now() - before < 7260
    assert api.get("users/1").status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nonsense", None, 404),
        ("GET", "users/99999", None, 404),
        ("GET", "users/abc", None, 400),
        ("GET", "users/1/teams", None, 404),
        ("PUT", "users/1", {}, 405),
        ("DELETE", "users", None, 405),
        ("PATCH", "users/1", {"nickname": "x"}, 400),
        ("PATCH", "users/1", {"mailbox_ids": [1]}, 400),
        ("PATCH", "users/1", {"team_ids": [999]}, 404),
        ("PATCH", "users/1", [], 400),
        (
            "POST",
            "users",
            {"email": "x@y.example", "first_name": "X", "last_name": "Y", "team_ids": [999]},
            404,
        ),
        ("POST", "users", {"email": "x"}, 400),
        ("POST", "mailboxes", {"user_id": 99999, "email": "x"}, 404),
        ("POST", "faults", {"kind": "explode"}, 400),
        ("POST", "faults", {}, 400),
        ("PATCH", "settings", {"rotation": "sometimes"}, 400),
        ("PATCH", "settings", {"colour": "red"}, 400),
        ("POST", "advance", {"hours": 1}, 400),
    ],
)
def test_what_is_not_understood_changes_nothing(
    sandbox: Sandbox, door: Door, method: str, path: str, body: Any, status: int
) -> None:
    before = [dict(sandbox.directory.table(plural)) for plural in ("users", "teams", "mailboxes")]

    reply = door.call(method, path, body)

    assert reply.status_code == status
    assert "error" in reply.json()
    assert [dict(sandbox.directory.table(plural)) for plural in ("users", "teams", "mailboxes")] == before


def test_faults_do_not_touch_the_control_door(sandbox: Sandbox, door: Door) -> None:
    sandbox.faults.add("reset", times=None)

    assert door.ask("GET", "state")["faults"] == 1
