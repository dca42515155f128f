"""What a token may do: scopes by name, never added up; then governance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api

PLURALS = ("users", "teams", "mailboxes", "prospects")


@pytest.mark.parametrize("plural", PLURALS)
def test_each_collection_needs_its_own_scope(connect: Callable[..., Api], plural: str) -> None:
    others = [f"{other}.all" for other in PLURALS if other != plural]

    reply = connect(others).get(plural)

    assert reply.status_code == 403
    assert reply.json() == {
        "errors": [
            {
                "id": "unauthorizedOauthScope",
                "title": "Unauthorized OAuth Scope",
                "detail": f"Your authorization does not include the required scope '{plural}.read'.",
            }
        ]
    }


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("mailboxes.read", {"GET": 200, "PATCH": 403, "DELETE": 403}),
        ("mailboxes.write", {"GET": 403, "PATCH": 200, "DELETE": 403}),
        ("mailboxes.delete", {"GET": 403, "PATCH": 403, "DELETE": 204}),
        ("mailboxes.all", {"GET": 200, "PATCH": 200, "DELETE": 204}),
    ],
)
def test_scopes_are_not_additive(connect: Callable[..., Api], scope: str, expected: dict[str, int]) -> None:
    api = connect([scope])

    statuses = {
        "GET": api.get("mailboxes/5001").status_code,
        "PATCH": api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>").status_code,
        "DELETE": api.call("DELETE", "mailboxes/5001").status_code,
    }

    assert statuses == expected


def test_missing_write_scope_is_named(connect: Callable[..., Api]) -> None:
    reply = connect(["mailboxes.read"]).patch("mailbox", "mailboxes/5001", emailSignature="x")

    assert reply.json()["errors"][0]["detail"] == (
        "Your authorization does not include the required scope 'mailboxes.write'."
    )


def test_token_without_any_scope_reads_nothing(connect: Callable[..., Api]) -> None:
    api = connect([])

    assert [api.get(plural).status_code for plural in PLURALS] == [403, 403, 403, 403]


def test_collection_outside_the_sandbox_answers_its_missing_scope(api: Api) -> None:
    reply = api.get("calls")

    assert reply.status_code == 403
    assert reply.json()["errors"][0]["detail"] == (
        "Your authorization does not include the required scope 'calls.read'."
    )


def test_collection_outside_the_sandbox_is_501_with_its_scope(connect: Callable[..., Api]) -> None:
    assert connect(["calls.read"]).get("calls").status_code == 501


def test_mailbox_that_is_not_editable_is_refused(sandbox: Sandbox, api: Api) -> None:
    mailbox = sandbox.directory.mailboxes_of(7)[0]

    reply = api.patch("mailbox", f"mailboxes/{mailbox.id}", emailSignature="<p>x</p>")

    assert reply.status_code == 403
    assert reply.json()["errors"] == [
        {
            "id": "unauthorizedRequest",
            "title": "Unauthorized Request",
            "detail": "You are not authorized to perform that request.",
        }
    ]
    assert sandbox.directory.mailboxes[mailbox.id] == mailbox


def test_rep_writes_to_own_mailbox_alone(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    api = connect(user_id=3)
    own, other = sandbox.directory.mailboxes_of(3)[0], sandbox.directory.mailboxes_of(5)[0]

    replies = [
        api.patch("mailbox", f"mailboxes/{each.id}", emailSignature="<p>x</p>") for each in (own, other)
    ]

    assert [reply.status_code for reply in replies] == [200, 403]
    assert sandbox.directory.mailboxes[other.id] == other


def test_authorization_meta_comes_only_when_asked_for(api: Api) -> None:
    plain = api.get("mailboxes/5001").json()["data"]
    asked = api.get("mailboxes/5001", provideAuthorizationMeta="true").json()["data"]

    assert "meta" not in plain
    assert asked["meta"] == {"canWrite": True, "canDelete": True}


def test_authorization_meta_tells_which_mailboxes_may_be_written(
    sandbox: Sandbox, connect: Callable[..., Api]
) -> None:
    query = "mailboxes?provideAuthorizationMeta=true&page[size]=1000"
    closed = {each.id for each in sandbox.directory.mailboxes.values() if not each.editable}

    writable = {
        user_id: {
            each["id"]
            for each in connect(user_id=user_id).get(query).json()["data"]
            if each["meta"]["canWrite"]
        }
        for user_id in (1, 3)
    }

    assert closed
    assert writable == {
        1: sandbox.directory.mailboxes.keys() - closed,
        3: set(sandbox.directory.users[3].mailbox_ids),
    }
