"""PATCH /mailboxes/{id}: what is stored, what is refused, what stays as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api

HTML = '<table><tr><td style="color:#111">Ingrid — 李 &amp; Søn 🎉</td></tr></table>'


def test_patch_stores_the_signature_and_answers_with_the_mailbox(sandbox: Sandbox, api: Api) -> None:
    before = dict(sandbox.directory.mailboxes)

    reply = api.patch("mailbox", "mailboxes/5001", emailSignature=HTML)

    record = reply.json()["data"]
    after = sandbox.directory.mailboxes[5001]
    assert reply.status_code == 200
    assert (record["type"], record["id"], record["attributes"]["emailSignature"]) == ("mailbox", 5001, HTML)
    assert record["attributes"]["updatedAt"] == after.updated_at > before[5001].updated_at
    assert after.email_signature == HTML
    assert {key: each for key, each in sandbox.directory.mailboxes.items() if key != 5001} == {
        key: each for key, each in before.items() if key != 5001
    }


def test_only_named_attributes_change(sandbox: Sandbox, api: Api) -> None:
    before = sandbox.directory.mailboxes[5001]

    api.patch("mailbox", "mailboxes/5001", sendDisabled=True, optOutMessage="Stop here", maxEmailsPerDay=80)

    attributes = api.get("mailboxes/5001").json()["data"]["attributes"]
    assert attributes["emailSignature"] == before.email_signature
    assert (attributes["sendDisabled"], attributes["optOutMessage"]) == (True, "Stop here")
    assert attributes["maxEmailsPerDay"] == 80


def test_null_takes_the_signature_away(sandbox: Sandbox, api: Api) -> None:
    api.patch("mailbox", "mailboxes/5001", emailSignature=None)

    assert sandbox.directory.mailboxes[5001].email_signature is None


@pytest.mark.parametrize(
    ("signature", "status"),
    [("x" * 65_535, 200), ("x" * 65_536, 422), ("é" * 32_767, 200), ("é" * 32_768, 422)],
)
def test_signature_is_limited_to_65535_bytes(sandbox: Sandbox, api: Api, signature: str, status: int) -> None:
    before = sandbox.directory.mailboxes[5001]

    reply = api.patch("mailbox", "mailboxes/5001", emailSignature=signature)

    assert reply.status_code == status
    if status == 422:
        assert sandbox.directory.mailboxes[5001] == before
        assert reply.json()["errors"] == [
            {
                "id": "validationError",
                "title": "Validation Error",
                "detail": "emailSignature is too long (maximum is 65535 characters).",
                "source": {"pointer": "/data/attributes/emailSignature"},
            }
        ]


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"emailSignature": 5}, 422),
        ({"emailSignature": ["<p>x</p>"]}, 422),
        ({"emailSignature": True}, 422),
        ({"sendDisabled": "yes"}, 422),
        ({"maxEmailsPerDay": True}, 422),
        ({"optOutMessage": "x" * 513}, 422),
        ({"signature": "<p>x</p>"}, 400),
        ({"editable": True}, 501),
        ({"userId": 2}, 501),
        ({"emailSignature": "<p>x</p>", "updatedAt": "2026-01-01T00:00:00.000Z"}, 501),
    ],
)
def test_wrong_attributes_change_nothing(
    sandbox: Sandbox, api: Api, attributes: dict[str, Any], status: int
) -> None:
    before = dict(sandbox.directory.mailboxes)

    reply = api.patch("mailbox", "mailboxes/5001", **attributes)

    assert reply.status_code == status
    assert sandbox.directory.mailboxes == before


@pytest.mark.parametrize(
    "data",
    [
        {"type": "mailbox", "id": 5002},
        {"type": "mailbox", "id": "5002"},
        {"type": "mailboxes", "id": 5001},
        {"type": "mailbox"},
        {"id": 5001},
        {"type": "mailbox", "id": None},
        {"type": "mailbox", "id": 5001, "attributes": []},
    ],
)
def test_type_and_id_must_match_the_url(sandbox: Sandbox, api: Api, data: dict[str, Any]) -> None:
    before = dict(sandbox.directory.mailboxes)

    reply = api.call(
        "PATCH",
        "mailboxes/5001",
        data=json.dumps({"data": {"attributes": {"emailSignature": "<p>x</p>"}} | data}),
    )

    assert reply.status_code == 400
    assert sandbox.directory.mailboxes == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"data":[]}',
        b'{"data":{"type":"mailbox","id":5001,"attributes":{"maxEmailsPerDay":NaN}}}',
        b'{"data":{"type":"mailbox","id":5001,"attributes":{"emailSignature":"\\ud800"}}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_body_that_is_no_json_object_is_400(sandbox: Sandbox, api: Api, body: bytes) -> None:
    before = dict(sandbox.directory.mailboxes)

    assert api.call("PATCH", "mailboxes/5001", data=body).status_code == 400
    assert sandbox.directory.mailboxes == before


def test_unknown_mailbox_is_404(api: Api) -> None:
    reply = api.patch("mailbox", "mailboxes/404", emailSignature="<p>x</p>")

    assert reply.status_code == 404
    assert reply.json()["errors"][0]["detail"] == "Could not find 'mailbox' with ID '404'."


def test_secrets_are_taken_and_never_kept(sandbox: Sandbox, api: Api) -> None:
    reply = api.patch("mailbox", "mailboxes/5001", password="hunter2", smtpPassword="hunter2")

    assert reply.status_code == 200
    assert "hunter2" not in reply.text
    assert "hunter2" not in repr(sandbox.directory.mailboxes[5001])


@pytest.mark.parametrize(
    ("how", "sent", "stored"),
    [
        (None, "<p class='a'> x </p> ", "<p class='a'> x </p> "),
        ("wrap", "<p>x</p>", '<div class="signature"><p>x</p></div>'),
        ("quotes", "<p class='a'>it's</p>", '<p class="a">it\'s</p>'),
        ("trim", " <p>x</p>\n", "<p>x</p>"),
    ],
)
def test_normaliser_rewrites_what_is_stored_and_answered(
    sandbox: Sandbox, api: Api, how: str | None, sent: str, stored: str
) -> None:
    sandbox.settings.signature_normaliser = how

    reply = api.patch("mailbox", "mailboxes/5001", emailSignature=sent)

    assert reply.json()["data"]["attributes"]["emailSignature"] == stored
    assert sandbox.directory.mailboxes[5001].email_signature == stored


@pytest.mark.parametrize("how", ["wrap", "quotes", "trim"])
def test_normaliser_leaves_its_own_result_alone(sandbox: Sandbox, api: Api, how: str) -> None:
    sandbox.settings.signature_normaliser = how
    once = api.patch("mailbox", "mailboxes/5001", emailSignature=" <p class='a'>x</p>")
    stored = once.json()["data"]["attributes"]["emailSignature"]

    twice = api.patch("mailbox", "mailboxes/5001", emailSignature=stored)

    assert twice.json()["data"]["attributes"]["emailSignature"] == stored
