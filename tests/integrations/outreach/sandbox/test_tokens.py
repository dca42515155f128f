"""POST /oauth/token and /oauth/revoke: minting, throttling, rotation, expiry, refusal."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import SCOPES, Api, Browser

DAY = 86_400


@pytest.fixture
def refresh_token(sandbox: Sandbox) -> str:
    token: str = sandbox.oauth.issue_tokens()["refresh_token"]
    return token


@pytest.mark.parametrize("as_json", [False, True])
def test_code_is_exchanged_by_form_and_by_json(sandbox: Sandbox, browser: Browser, as_json: bool) -> None:
    code = browser.decide()["code"]

    reply = browser.token({"grant_type": "authorization_code", "code": code}, as_json=as_json)

    token = reply.json()
    assert reply.status_code == 200
    assert token == {
        "access_token": token["access_token"],
        "token_type": "Bearer",
        "expires_in": 7200,
        "refresh_token": token["refresh_token"],
        "scope": " ".join(SCOPES),
        "created_at": pytest.approx(sandbox.clock.now(), abs=5),
    }
    assert token["access_token"].startswith("sandbox-at-")
    assert token["refresh_token"].startswith("sandbox-rt-")
    assert isinstance(token["created_at"], int)


def test_code_works_once(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.settings.throttle_seconds = 0
    code = browser.decide()["code"]
    browser.exchange(code)

    assert browser.exchange(code).json()["error"] == "invalid_grant"


def test_code_lives_sixty_seconds(sandbox: Sandbox, browser: Browser) -> None:
    early, late = browser.decide()["code"], browser.decide(state="late")["code"]
    sandbox.clock.advance(59)
    assert browser.exchange(early).status_code == 200
    sandbox.clock.advance(2)

    assert browser.exchange(late).json()["error"] == "invalid_grant"


def test_code_needs_the_redirect_uri_it_was_given_to(browser: Browser) -> None:
    code = browser.decide()["code"]

    refused = browser.exchange(code, redirect_uri="https://portal.example/other")

    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert browser.exchange(code).status_code == 200


def test_second_token_within_sixty_seconds_is_throttled_in_plain_text(
    sandbox: Sandbox, browser: Browser
) -> None:
    token = browser.exchange(browser.decide()["code"]).json()
    sandbox.clock.advance(58)

    throttled = browser.refresh(token["refresh_token"])

    assert (throttled.status_code, throttled.text) == (429, "Retry later\n")
    assert throttled.headers["Content-Type"] == "text/plain"
    sandbox.clock.advance(3)
    assert browser.refresh(token["refresh_token"]).status_code == 200


def test_throttled_code_is_not_spent(sandbox: Sandbox, browser: Browser) -> None:
    browser.exchange(browser.decide()["code"])
    code = browser.decide(state="again")["code"]
    assert browser.exchange(code).status_code == 429
    sandbox.oauth.forget_throttle()

    assert browser.exchange(code).status_code == 200


def test_throttle_counts_each_user_alone(browser: Browser) -> None:
    first, second = browser.decide(user_id=1)["code"], browser.decide(user_id=2)["code"]

    assert [browser.exchange(code).status_code for code in (first, second)] == [200, 200]


def test_refresh_works_without_redirect_uri(browser: Browser, refresh_token: str) -> None:
    reply = browser.refresh(refresh_token, redirect_uri="")

    assert reply.status_code == 200
    assert reply.json()["refresh_token"] != refresh_token
    assert reply.json()["scope"] == " ".join(SCOPES)


def test_strict_rotation_refuses_a_spent_refresh_token(
    sandbox: Sandbox, browser: Browser, refresh_token: str
) -> None:
    sandbox.settings.throttle_seconds = 0
    newer = browser.refresh(refresh_token).json()["refresh_token"]

    spent = browser.refresh(refresh_token)

    assert (spent.status_code, spent.json()["error"]) == (400, "invalid_grant")
    assert browser.refresh(newer).status_code == 200


def test_lenient_rotation_takes_the_first_refresh_token_again(
    sandbox: Sandbox, browser: Browser, refresh_token: str
) -> None:
    sandbox.settings.change(throttle_seconds=0, rotation="lenient")

    assert [browser.refresh(refresh_token).status_code for _ in range(3)] == [200, 200, 200]


def test_refresh_token_lives_fourteen_days_from_issue(
    sandbox: Sandbox, browser: Browser, refresh_token: str
) -> None:
    sandbox.clock.advance(14 * DAY - 60)
    newer = browser.refresh(refresh_token).json()["refresh_token"]
    sandbox.clock.advance(13 * DAY)
    newest = browser.refresh(newer).json()["refresh_token"]
    sandbox.clock.advance(14 * DAY + 60)

    assert browser.refresh(newest).json()["error"] == "invalid_grant"


def test_more_than_a_hundred_refresh_tokens_drop_the_oldest(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.settings.throttle_seconds = 0
    other_user = sandbox.oauth.issue_tokens(user_id=2)["refresh_token"]
    tokens = [sandbox.oauth.issue_tokens()["refresh_token"] for _ in range(101)]

    assert browser.refresh(tokens[0]).json()["error"] == "invalid_grant"
    assert browser.refresh(tokens[1]).status_code == 200
    assert browser.refresh(other_user).status_code == 200


def test_access_token_ends_after_two_hours(sandbox: Sandbox, api: Api) -> None:
    sandbox.clock.advance(7199)
    assert api.get("users/1").status_code == 200
    sandbox.clock.advance(2)

    reply = api.get("users/1")

    assert reply.status_code == 401
    assert reply.json() == {
        "error": "Invalid JWT token.",
        "description": "The JWT token could not be decoded.",
    }


def test_unauthorized_body_can_be_the_older_text(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.unauthorized_body = "text"
    sandbox.oauth.expire_access_tokens()

    reply = api.get("users/1")

    assert (reply.status_code, reply.text) == (401, "Invalid access token")


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_secret": "wrong\ud800"}, 401, "invalid_client"),
        ({"refresh_token": "sandbox-rt-unknown"}, 400, "invalid_grant"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_grant"),
    ],
)
def test_refusals_have_doorkeepers_form(
    browser: Browser, refresh_token: str, fields: dict[str, str], status: int, error: str
) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": refresh_token} | fields

    reply = browser.token(body, as_json=True)

    assert (reply.status_code, reply.json()["error"]) == (status, error)
    assert set(reply.json()) == {"error", "error_description"}


def test_refusal_does_not_spend_the_refresh_token(browser: Browser, refresh_token: str) -> None:
    browser.refresh(refresh_token, client_secret="wrong")

    assert browser.refresh(refresh_token).status_code == 200


def test_token_refusals_can_be_401(sandbox: Sandbox, browser: Browser) -> None:
    sandbox.settings.token_error_status = 401

    assert browser.refresh("sandbox-rt-unknown").status_code == 401


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"[" * 50_000, b"\xff"])
def test_unreadable_json_is_an_invalid_request(sandbox: Sandbox, body: bytes) -> None:
    reply = requests.post(
        f"{sandbox.base_url}/oauth/token",
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=10,
    )

    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("sent", "verifier", "status"),
    [
        ({"code_challenge": challenge("v" * 43), "code_challenge_method": "S256"}, "v" * 43, 200),
        ({"code_challenge": challenge("v" * 43), "code_challenge_method": "S256"}, "w" * 43, 400),
        ({"code_challenge": challenge("v" * 43), "code_challenge_method": "S256"}, "", 400),
        ({}, "v" * 43, 400),
    ],
)
def test_pkce_is_enforced_where_switched_on(
    sandbox: Sandbox, browser: Browser, sent: dict[str, Any], verifier: str, status: int
) -> None:
    sandbox.settings.pkce = "enforce"
    code = browser.decide(**sent)["code"]

    assert browser.exchange(code, code_verifier=verifier).status_code == status


def test_pkce_is_ignored_by_default(browser: Browser) -> None:
    code = browser.decide(code_challenge=challenge("v" * 43), code_challenge_method="S256")["code"]

    assert browser.exchange(code, code_verifier="something else").status_code == 200


@pytest.mark.parametrize(
    ("spelling", "scope"),
    [
        ("plus", "+".join(SCOPES)),
        ("reversed", " ".join(reversed(SCOPES))),
        ("duplicated", " ".join(SCOPES * 2)),
        ("absent", None),
    ],
)
def test_scope_comes_in_the_spellings_to_survive(
    sandbox: Sandbox, browser: Browser, spelling: str, scope: str | None
) -> None:
    sandbox.settings.scope_spelling = spelling

    assert browser.exchange(browser.decide()["code"]).json().get("scope") == scope


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_both_and_no_others(sandbox: Sandbox, browser: Browser, kind: str) -> None:
    mine, bystander = sandbox.oauth.issue_tokens(), sandbox.oauth.issue_tokens(user_id=2)

    reply = revoke(sandbox, token=mine[kind])

    assert (reply.status_code, reply.json()) == (200, {})
    assert reads(sandbox, mine["access_token"]) == 401
    assert browser.refresh(mine["refresh_token"]).json()["error"] == "invalid_grant"
    assert reads(sandbox, bystander["access_token"]) == 200


def test_revoking_an_unknown_token_is_200(sandbox: Sandbox) -> None:
    assert revoke(sandbox, token="sandbox-at-unknown").status_code == 200


def test_revoking_needs_the_client(sandbox: Sandbox) -> None:
    token = sandbox.oauth.issue_tokens()["access_token"]

    assert revoke(sandbox, token=token, client_secret="wrong").status_code == 403
    assert reads(sandbox, token) == 200


@pytest.mark.parametrize("status", [404, 503])
def test_revocation_endpoint_can_be_missing_or_down(sandbox: Sandbox, status: int) -> None:
    sandbox.settings.revoke_status = status
    token = sandbox.oauth.issue_tokens()["access_token"]

    assert revoke(sandbox, token=token).status_code == status
    assert reads(sandbox, token) == 200


def test_revocation_inside_outreach_ends_everything(
    sandbox: Sandbox, browser: Browser, connect: Callable[..., Api], refresh_token: str
) -> None:
    api = connect()

    sandbox.oauth.revoke_all()

    assert api.get("users/1").status_code == 401
    assert browser.refresh(refresh_token).json()["error"] == "invalid_grant"
    assert sandbox.oauth.live_refresh_tokens == 0


def revoke(sandbox: Sandbox, **fields: str) -> requests.Response:
    body = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"} | fields
    return requests.post(f"{sandbox.base_url}/oauth/revoke", data=body, timeout=10)


def reads(sandbox: Sandbox, access_token: str) -> int:
    headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/vnd.api+json"}
    return requests.get(f"{sandbox.base_url}/api/v2/users/1", headers=headers, timeout=10).status_code
