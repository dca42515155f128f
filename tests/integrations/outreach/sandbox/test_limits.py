"""The hourly allowance and its headers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api


def test_every_reply_tells_the_allowance(sandbox: Sandbox, api: Api) -> None:
    started = sandbox.clock.now()

    replies = [api.get("users/1"), api.get("nonsense"), api.get("users?nonsense=1"), api.get("calls")]

    assert [reply.headers["X-RateLimit-Limit"] for reply in replies] == ["10000"] * 4
    remaining = [reply.headers["X-RateLimit-Remaining"] for reply in replies]
    assert remaining == ["9999", "9998", "9997", "9996"]
    assert len({reply.headers["X-RateLimit-Reset"] for reply in replies}) == 1
    assert int(replies[0].headers["X-RateLimit-Reset"]) == pytest.approx(math.ceil(started + 3600), abs=2)
    assert all("Retry-After" not in reply.headers for reply in replies)


def test_request_over_the_allowance_is_429_until_the_hour_ends(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.hourly_limit = 2
    api.get("users/1")
    api.get("users/1")

    over = api.get("users/1")

    assert over.status_code == 429
    error = over.json()["errors"][0]
    assert error["id"] == "rateLimitExceeded"
    assert error["detail"].startswith(
        "You have exceeded your permitted rate limit of 2; please try again at 2"
    )
    assert over.headers["X-RateLimit-Remaining"] == "0"
    assert over.headers["Retry-After"] == over.headers["X-RateLimit-Reset"]
    sandbox.clock.advance(3601)
    assert api.get("users/1").headers["X-RateLimit-Remaining"] == "1"


def test_limit_is_written_with_thousands(sandbox: Sandbox, api: Api) -> None:
    fault = sandbox.faults.add("rate_limited", path="/api/v2/*")

    detail = api.get("users").json()["errors"][0]["detail"]

    assert detail.startswith("You have exceeded your permitted rate limit of 10,000; please try again at ")
    assert fault.hits == 1


def test_refused_write_changes_nothing(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.hourly_limit = 0
    before = sandbox.directory.mailboxes[5001]

    assert api.patch("mailbox", "mailboxes/5001", emailSignature="<p>x</p>").status_code == 429
    assert sandbox.directory.mailboxes[5001] == before


def test_allowance_is_each_users_own_over_all_their_tokens(
    sandbox: Sandbox, connect: Callable[..., Api]
) -> None:
    first, again, other = connect(user_id=1), connect(user_id=1), connect(user_id=2)

    remaining = [api.get("users/1").headers["X-RateLimit-Remaining"] for api in (first, again, other)]

    assert remaining == ["9999", "9998", "9999"]
    assert (sandbox.allowance.used(1), sandbox.allowance.used(2)) == (2, 1)


def test_hour_can_begin_anew(sandbox: Sandbox, api: Api) -> None:
    api.get("users/1")
    sandbox.allowance.reset()

    assert api.get("users/1").headers["X-RateLimit-Remaining"] == "9999"


def test_remaining_can_hold_two_values(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.two_valued_remaining = True

    assert api.get("users/1").headers["X-RateLimit-Remaining"] == "9999, 19999"


def test_unknown_token_spends_nothing(sandbox: Sandbox, api: Api) -> None:
    sandbox.oauth.expire_access_tokens()

    assert "X-RateLimit-Limit" not in api.get("users/1").headers
    assert sandbox.allowance.used(1) == 0
