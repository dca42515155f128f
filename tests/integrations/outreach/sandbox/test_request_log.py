"""The log of requests: complete, comparable, and without a secret in it."""

from __future__ import annotations

from collections.abc import Callable

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api, Browser


def test_request_is_kept_as_it_came(sandbox: Sandbox, api: Api) -> None:
    api.get("users?fields[user]=email&page[size]=2")
    api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>")

    read, write = sandbox.requests
    assert (read.method, read.path, read.status) == ("GET", "/api/v2/users", 200)
    assert read.query == "fields%5Buser%5D=email&page%5Bsize%5D=2"
    assert read.parameters == {"fields[user]": ["email"], "page[size]": ["2"]}
    assert read.headers["content-type"] == "application/vnd.api+json"
    assert (write.method, write.path, write.status) == ("PATCH", "/api/v2/mailboxes/5001", 200)
    assert write.json() == {
        "data": {"type": "mailbox", "id": 5001, "attributes": {"emailSignature": "<p>x</p>"}}
    }


def test_refused_requests_are_kept_too(sandbox: Sandbox, api: Api) -> None:
    sandbox.oauth.revoke_all()
    api.get("users")
    api.get("nonsense")

    assert [(entry.path, entry.status) for entry in sandbox.requests] == [
        ("/api/v2/users", 401),
        ("/api/v2/nonsense", 401),
    ]


def test_bearer_token_is_comparable_and_not_readable(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    first, second = connect(), connect()
    for api in (first, second, first):
        api.get("users/1")

    tokens = [entry.token for entry in sandbox.requests]
    secret = str(first.session.headers["Authorization"]).removeprefix("Bearer ")
    assert tokens[0] == tokens[2] != tokens[1]
    assert sandbox.requests[0].headers["authorization"] == f"Bearer sandbox-at-…{secret[-4:]}"
    assert secret not in repr(sandbox.requests)


def test_secrets_of_the_token_endpoint_are_hashed(sandbox: Sandbox, browser: Browser) -> None:
    code = browser.decide()["code"]
    token = browser.exchange(code).json()
    browser.token({"grant_type": "refresh_token", "refresh_token": token["refresh_token"]}, as_json=True)

    log = repr(list(sandbox.requests))
    for secret in (code, token["refresh_token"], token["access_token"], "sandbox-secret"):
        assert secret not in log
    exchange, refresh = sandbox.requests.to("/oauth/token")
    assert exchange.json()["grant_type"] == "authorization_code"
    assert refresh.json()["grant_type"] == "refresh_token"
    assert refresh.json()["refresh_token"].startswith("sha256:")


def test_log_is_searched_by_path_and_method(sandbox: Sandbox, api: Api) -> None:
    api.get("mailboxes")
    api.get("mailboxes/5001")
    api.patch("mailbox", "mailboxes/5001", emailSignature=None)

    assert len(sandbox.requests.to("/api/v2/mailboxes")) == 1
    assert len(sandbox.requests.to("/api/v2/mailboxes/")) == 2
    assert len(sandbox.requests.to("/api/v2/mailboxes/", "PATCH")) == 1


def test_bodies_can_be_left_out(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.log_bodies = False

    api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>")

    assert sandbox.requests[0].body == b""
    assert sandbox.directory.mailboxes[5001].email_signature == "<p>x</p>"


def test_clear_forgets(sandbox: Sandbox, api: Api) -> None:
    api.get("users/1")
    sandbox.requests.clear()

    assert list(sandbox.requests) == []
