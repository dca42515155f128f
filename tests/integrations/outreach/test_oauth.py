"""Tokens for a code, tokens for a token, and the end of a token."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from integrations.errors import (
    ClientMisconfigured,
    ConnectionLost,
    RateLimited,
    UnexpectedReply,
    Unreachable,
)
from integrations.interfaces import CallRecord
from integrations.outreach.oauth import OAuthClient, TokenReply
from integrations.outreach.scopes import REQUESTED
from tests.support.wire import REDIRECT_URI

TOKEN_PATH = "/oauth/token"


@pytest.fixture
def issued(sandbox):
    return sandbox.oauth.issue_tokens(scopes=list(REQUESTED), user_id=1)


def code_from(sandbox):
    """Return a code as the browser would bring it back: Outreach's own page, Allow."""
    query = {
        "client_id": "sandbox-client",
        "redirect_uri": REDIRECT_URI,
        "response_type": "code",
        "scope": " ".join(REQUESTED),
        "state": "s",
    }
    form = {**query, "user_id": "1", "grant": list(REQUESTED), "decision": "allow"}
    reply = requests.post(sandbox.base_url + "/oauth/authorize", data=form, allow_redirects=False, timeout=5)
    [code] = parse_qs(urlsplit(reply.headers["Location"]).query)["code"]
    sandbox.requests.clear()
    return code


def test_a_code_becomes_a_pair_of_tokens_once(sandbox, oauth):
    code = code_from(sandbox)

    reply = oauth.exchange_code(code, REDIRECT_URI, "verifier-" + "v" * 40)

    assert reply.access_token.startswith("sandbox-at-")
    assert reply.refresh_token.startswith("sandbox-rt-")
    assert (reply.expires_in_seconds, reply.scope) == (7200, " ".join(REQUESTED))
    with pytest.raises(ConnectionLost):
        oauth.exchange_code(code, REDIRECT_URI, "verifier-" + "v" * 40)


def test_the_form_names_what_is_documented_and_nothing_else(sandbox, oauth, issued):
    oauth.refresh(issued["refresh_token"], REDIRECT_URI)

    [request] = sandbox.requests
    assert (request.method, request.path, request.query) == ("POST", TOKEN_PATH, "")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in request.headers
    assert set(request.json()) == {
        "grant_type",
        "refresh_token",
        "redirect_uri",
        "client_id",
        "client_secret",
    }


def test_a_refresh_rotates_the_pair(sandbox, oauth, issued):
    reply = oauth.refresh(issued["refresh_token"], REDIRECT_URI)

    assert reply.refresh_token != issued["refresh_token"]
    assert reply.access_token != issued["access_token"]
    with pytest.raises(ConnectionLost):
        oauth.refresh(issued["refresh_token"], REDIRECT_URI)


def test_a_reply_without_a_new_refresh_token_keeps_the_old_one(sandbox, oauth, issued):
    sandbox.faults.add("drop_key", path=TOKEN_PATH, key="refresh_token")

    assert oauth.refresh(issued["refresh_token"], REDIRECT_URI).refresh_token == issued["refresh_token"]


def test_a_code_without_a_refresh_token_is_no_connection(sandbox, oauth):
    code = code_from(sandbox)
    sandbox.faults.add("drop_key", path=TOKEN_PATH, key="refresh_token")

    with pytest.raises(UnexpectedReply):
        oauth.exchange_code(code, REDIRECT_URI)


@pytest.mark.parametrize("status", [400, 401])
def test_only_invalid_grant_means_that_access_is_lost(sandbox, oauth, status):
    sandbox.settings.change(token_error_status=status)

    with pytest.raises(ConnectionLost) as caught:
        oauth.refresh("sandbox-rt-that-never-was", REDIRECT_URI)

    assert caught.value.detail == f"HTTP {status} invalid_grant"


def test_a_wrong_secret_is_the_operators_and_loses_no_token(sandbox, issued):
    with (
        OAuthClient(base_url=sandbox.base_url, client_id="sandbox-client", client_secret="wrong") as client,
        pytest.raises(ClientMisconfigured) as caught,
    ):
        client.refresh(issued["refresh_token"], REDIRECT_URI)

    assert caught.value.whose_turn == "operator"


def test_the_throttle_is_a_wait_of_a_minute(sandbox, oauth, issued):
    sandbox.faults.add("retry_later", path=TOKEN_PATH)

    with pytest.raises(RateLimited) as caught:
        oauth.refresh(issued["refresh_token"], REDIRECT_URI)

    assert caught.value.retry_after_seconds == 60
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, Unreachable),
        ({"kind": "status", "status": 500, "body": '{"error":"invalid_grant"}'}, Unreachable),
        ({"kind": "bad_gateway"}, Unreachable),
        ({"kind": "unavailable"}, Unreachable),
        ({"kind": "reset"}, Unreachable),
        ({"kind": "lost"}, Unreachable),
        ({"kind": "cut", "bytes": 250}, Unreachable),
        ({"kind": "truncated_json"}, UnexpectedReply),
        ({"kind": "body", "value": "<html>Sign in</html>"}, UnexpectedReply),
        ({"kind": "huge", "bytes": 10_000_000}, UnexpectedReply),
        ({"kind": "redirect"}, UnexpectedReply),
        ({"kind": "status", "status": 400, "body": "no"}, UnexpectedReply),
        ({"kind": "status", "status": 400, "body": '{"error":["invalid_grant"]}'}, UnexpectedReply),
        ({"kind": "status", "status": 400, "body": '{"error":"invalid_request"}'}, UnexpectedReply),
        ({"kind": "status", "status": 403, "body": '{"error":"<b>x</b>"}'}, UnexpectedReply),
        ({"kind": "status", "status": 404, "body": ""}, UnexpectedReply),
        ({"kind": "status", "status": 204, "body": ""}, UnexpectedReply),
        *(
            ({"kind": "set_key", "key": "expires_in", "value": value}, UnexpectedReply)
            for value in (None, 0, -1, "7200", 7200.5, True, 10**9, [7200])
        ),
        *(
            ({"kind": "set_key", "key": "access_token", "value": value}, UnexpectedReply)
            for value in (
                None,
                "",
                7,
                ["x"],
                "line\r\nInjected: yes",
                "with space in it",
                "ünïcode-token",
                "x" * 20_000,
            )
        ),
        ({"kind": "set_key", "key": "refresh_token", "value": {"x": 1}}, UnexpectedReply),
        ({"kind": "set_key", "key": "token_type", "value": "mac"}, UnexpectedReply),
        ({"kind": "drop_key", "key": "expires_in"}, UnexpectedReply),
    ],
    ids=str,
)
def test_anything_else_can_be_tried_again_and_gives_no_half_reply(sandbox, oauth, issued, fault, error):
    sandbox.faults.add(**fault, path=TOKEN_PATH)

    with pytest.raises(error) as caught:
        oauth.refresh(issued["refresh_token"], REDIRECT_URI)

    assert isinstance(caught.value, error)
    assert caught.value.permanent is False
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("expires_in", 1, {"expires_in_seconds": 1}),
        ("token_type", "Bearer", {}),
        ("token_type", None, {}),
        ("scope", None, {"scope": None}),
        ("scope", ["users.all"], {"scope": None}),
        ("scope", "", {"scope": ""}),
        ("created_at", None, {"created_at": None}),
        ("created_at", "soon", {"created_at": None}),
    ],
)
def test_a_reply_that_differs_where_it_may_is_read(sandbox, oauth, issued, key, value, kept):
    sandbox.faults.add("set_key", path=TOKEN_PATH, key=key, value=value)

    reply = oauth.refresh(issued["refresh_token"], REDIRECT_URI)

    assert reply == replace(reply, **kept)


def test_a_reply_shows_no_token():
    reply = TokenReply("canary-access", "canary-refresh", 7200, "users.all", 1)

    assert repr(reply) == str(reply) == "TokenReply(expires_in_seconds=7200, scope='users.all', created_at=1)"


def test_a_revoked_token_is_confirmed_and_opens_nothing_more(sandbox, oauth, issued, make_wire):
    assert oauth.revoke(issued["refresh_token"]) is True

    with pytest.raises(ConnectionLost):
        oauth.refresh(issued["refresh_token"], REDIRECT_URI)


def test_a_missing_address_for_revocation_is_not_confirmed(sandbox, oauth, issued):
    sandbox.settings.change(revoke_status=404)

    assert oauth.revoke(issued["refresh_token"]) is False


def test_a_revocation_that_may_work_later_says_so(sandbox, oauth, issued):
    sandbox.settings.change(revoke_status=503)

    with pytest.raises(Unreachable):
        oauth.revoke(issued["refresh_token"])


def test_every_call_is_recorded_without_a_token(sandbox, issued):
    records: list[CallRecord] = []
    with OAuthClient(
        base_url=sandbox.base_url,
        client_id="sandbox-client",
        client_secret="sandbox-secret",
        record=records.append,
    ) as client:
        client.refresh(issued["refresh_token"], REDIRECT_URI)
        with pytest.raises(ConnectionLost):
            client.refresh(issued["refresh_token"], REDIRECT_URI)
        client.revoke("sandbox-rt-anything")

    lost = "Outreach no longer accepts our access. Reconnect the account on the Outreach page."
    assert [replace(record, duration_ms=0) for record in records] == [
        CallRecord("refresh_token", "", "POST", "token", 200, "answered", (), "", 0, 0, ""),
        CallRecord("refresh_token", "", "POST", "token", 400, "failed", (), "", 0, 0, lost),
        CallRecord("revoke_token", "", "POST", "token", 200, "answered", (), "", 0, 0, ""),
    ]
