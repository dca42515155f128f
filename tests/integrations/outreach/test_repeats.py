"""When a call is made again, and how long is waited before it, over real HTTP."""

import pytest

from integrations.errors import (
    RateLimited,
    Unreachable,
)
from integrations.outreach.allowed_calls import LIST_USERS
from integrations.outreach.replies import InMaintenance, TokenRejected
from tests.support.wire import MAILBOX, USERS, Access, write


@pytest.mark.parametrize("body", ["jwt", "text"])
def test_a_401_renews_the_token_once_and_repeats_the_call_once(make_wire, sandbox, body):
    good = sandbox.oauth.issue_tokens(scopes=["users.all"], user_id=1)["access_token"]
    sandbox.settings.change(unauthorized_body=body)
    wire = make_wire(access=Access(["sandbox-at-expired-and-gone", good]))

    reply = wire.client.send(LIST_USERS, query=USERS)

    assert len(reply.document["data"]) == 50
    assert wire.access.renewed == ["sandbox-at-expired-and-gone"]
    assert wire.outcomes == [("list_users", "failed", 401), ("list_users", "answered", 200)]


def test_a_401_after_a_fresh_token_is_tried_later_and_ends_nothing(make_wire, sandbox):
    wire = make_wire(access=Access(["sandbox-at-gone-the-first", "sandbox-at-gone-the-second"]))

    with pytest.raises(TokenRejected):
        wire.client.send(LIST_USERS, query=USERS)

    assert wire.access.renewed == ["sandbox-at-gone-the-first"]
    assert [request.status for request in sandbox.requests] == [401, 401]


def test_a_write_survives_a_token_that_ended(make_wire, sandbox):
    good = sandbox.oauth.issue_tokens(scopes=["mailboxes.all"], user_id=1)["access_token"]
    wire = make_wire(access=Access(["sandbox-at-expired-and-gone", good]))

    write(wire, "<p>after</p>")

    assert sandbox.directory.mailboxes[int(MAILBOX)].email_signature == "<p>after</p>"
    assert [request.status for request in sandbox.requests] == [401, 200]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "reset"},
        {"kind": "cut", "bytes": 200},
        {"kind": "cut", "bytes": 3000},
    ],
)
def test_a_read_that_answers_at_last_is_answered(wire, sandbox, fault):
    sandbox.faults.add(**fault, times=3)

    reply = wire.client.send(LIST_USERS, query=USERS)

    assert len(reply.document["data"]) == 50
    assert [record.outcome for record in wire.records] == ["failed"] * 3 + ["answered"]


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "reset"}, {"kind": "lost"}])
def test_a_write_is_never_repeated_when_its_answer_is_lost(wire, sandbox, fault):
    sandbox.faults.add(**fault, times=None)

    with pytest.raises(Unreachable):
        write(wire)

    assert [request.method for request in sandbox.requests] == ["PATCH"]
    assert wire.slept == []
    assert wire.outcomes in ([("write_signature", "failed", 0)], [("write_signature", "failed", 500)])


def test_maintenance_is_not_knocked_at(wire, sandbox):
    sandbox.faults.add("unavailable", seconds=1800, times=None)

    with pytest.raises(InMaintenance):
        wire.client.send(LIST_USERS, query=USERS)

    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("spelling", ["delta", "epoch", "http-date", "iso"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_short_429_is_waited_for_once(wire, sandbox, spelling, method):
    sandbox.faults.add("rate_limited", retry_after=spelling, seconds=4, method=method)

    if method == "GET":
        wire.client.send(LIST_USERS, query=USERS)
    else:
        write(wire)

    assert [request.status for request in sandbox.requests] == [429, 200]
    [slept] = wire.slept
    assert 1 <= slept <= 4
    assert wire.budget.blocks == [slept]


@pytest.mark.parametrize(
    ("spelling", "shortest", "longest"),
    [
        ("delta", 1800, 1800),
        ("epoch", 1790, 1800),
        ("http-date", 1790, 1801),
        ("iso", 1790, 1801),
        ("absent", 1790, 1800),
        ("garbage", 1790, 1800),
        ("empty", 1790, 1800),
        ("year-9999", 3600, 3600),
    ],
)
def test_a_long_429_is_left_to_the_caller(wire, sandbox, spelling, shortest, longest):
    sandbox.faults.add("rate_limited", retry_after=spelling, seconds=1800)

    with pytest.raises(RateLimited) as caught:
        wire.client.send(LIST_USERS, query=USERS)

    assert shortest <= caught.value.retry_after_seconds <= longest
    assert wire.budget.blocks == [caught.value.retry_after_seconds]
    assert wire.slept == []
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("headers", "waits", "learnt"),
    [
        ({"Retry-After": "30", "X-RateLimit-Reset": "1800"}, 30, (10_000, 0, 30.0)),
        ({"Retry-After": "30", "X-RateLimit-Reset": None}, 30, (10_000, 0, 30.0)),
        ({"Retry-After": None, "X-RateLimit-Reset": None}, 60, (10_000, 0, 60.0)),
        ({"Retry-After": "30", "X-RateLimit-Reset": "1800", "X-RateLimit-Remaining": "9000"}, 30,
         (10_000, 9_000, 1800.0)),
    ],
)  # fmt: skip
def test_a_429_of_thirty_seconds_is_not_taken_for_a_spent_hour(wire, sandbox, headers, waits, learnt):
    sandbox.faults.add("rate_limited", retry_after="delta", seconds=30)
    sandbox.faults.add("headers", values=headers)

    with pytest.raises(RateLimited) as caught:
        wire.client.send(LIST_USERS, query=USERS)

    assert caught.value.message == (
        f"Outreach asks us to wait {waits} seconds. No action needed: the portal waits and tries again."
    )
    assert caught.value.retry_after_seconds == waits
    assert wire.budget.learnt == [learnt]


@pytest.mark.parametrize("spelling", ["past", "negative"])
def test_a_429_in_the_past_waits_a_second_and_a_second_429_ends_it(wire, sandbox, spelling):
    sandbox.faults.add("rate_limited", retry_after=spelling, times=None)

    with pytest.raises(RateLimited):
        wire.client.send(LIST_USERS, query=USERS)

    assert wire.slept == [1.0]
    assert len(sandbox.requests) == 2


def test_repeated_429s_keep_reads_apart_until_outreach_answers_again(wire, sandbox):
    """The first is waited for as it says; from the second on the reads after it come more slowly."""
    for number in (1, 3, 5):
        sandbox.faults.add("rate_limited", nth=number, retry_after="delta", seconds=1)

    for _ in range(20):
        wire.client.send(LIST_USERS, query=USERS)

    assert wire.slept == [1.0, 1.0, 0.5, 0.5, 1.0, *[1.0] * 5, *[0.5] * 5]
    assert [request.status for request in sandbox.requests][:6] == [429, 200, 429, 200, 429, 200]
