"""Which replies are used, and how large they may be, over real HTTP."""

import pytest

from integrations.errors import (
    UnexpectedReply,
    Unreachable,
    UnreadableReply,
)
from integrations.outreach.allowed_calls import LIST_USERS
from integrations.outreach.replies import redact
from tests.support.wire import USERS, write

UNREADABLE = [
    ("content_type", {"value": "text/html"}),
    ("content_type", {"value": ""}),
    ("content_type", {"value": "application/xml"}),
    ("content_type", {"value": "application/jsonp"}),
    ("body", {"value": ""}),
    ("body", {"value": "<html>Sign in</html>"}),
    ("body", {"value": "\ufeff{}"}),
    ("body", {"value": '[{"data": []}]'}),
    ("truncated_json", {}),
]


@pytest.mark.parametrize(("kind", "options"), UNREADABLE)
def test_an_unreadable_reply_to_a_read_is_asked_for_again_and_never_used(wire, sandbox, kind, options):
    sandbox.faults.add(kind, times=2, **options)

    assert len(wire.client.send(LIST_USERS, query=USERS).document["data"]) == 50

    assert wire.outcomes == [("list_users", "failed", 200)] * 2 + [("list_users", "answered", 200)]
    assert wire.slept == [0.5, 1.0]


@pytest.mark.parametrize(("kind", "options"), UNREADABLE)
def test_an_unreadable_reply_that_stays_is_told_after_four_tries(wire, sandbox, kind, options):
    sandbox.faults.add(kind, times=None, **options)

    with pytest.raises(UnreadableReply) as caught:
        wire.client.send(LIST_USERS, query=USERS)

    assert "The portal tries again" in caught.value.message
    assert wire.outcomes == [("list_users", "failed", 200)] * 4
    assert wire.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(("kind", "options"), [*UNREADABLE, ("status", {"status": 503}), ("reset", {})])
def test_a_write_is_sent_once_whatever_comes_back(wire, sandbox, kind, options):
    sandbox.faults.add(kind, times=None, **options)

    with pytest.raises((UnreadableReply, Unreachable)):
        write(wire)

    assert [request.method for request in sandbox.requests] == ["PATCH"]
    assert wire.slept == []


@pytest.mark.parametrize("status", [403, 404, 409, 410, 422])
def test_a_gateways_web_page_says_nothing_of_a_mailbox(wire, sandbox, status):
    """Outreach's own answers with these statuses are documents; a page before it knows no mailbox."""
    sandbox.faults.add("status", status=status, body="\n <!doctype html><title>Blocked</title>")

    with pytest.raises(UnreadableReply) as caught:
        write(wire)

    assert (caught.value.permanent, caught.value.detail) == (False, f"HTTP {status}")


MIB = 1024 * 1024


def test_the_reply_to_a_write_may_have_one_mebibyte_and_not_a_byte_more(wire, sandbox):
    sandbox.faults.add("huge", bytes=MIB)
    sandbox.faults.add("huge", bytes=MIB + 1, nth=2)

    assert write(wire, "<p>one</p>").document["data"]["attributes"]["emailSignature"] == "<p>one</p>"
    with pytest.raises(UnexpectedReply) as caught:
        write(wire, "<p>two</p>", "5002")

    assert caught.value.detail == f"larger than {MIB} bytes"
    assert [request.method for request in sandbox.requests] == ["PATCH", "PATCH"]  # a write is never repeated


def test_a_page_may_have_sixteen_mebibytes(wire, sandbox):
    sandbox.faults.add("huge", bytes=16 * MIB)

    assert len(wire.client.send(LIST_USERS, query=USERS).document["data"]) == 50


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("Could not find 'mailbox' with ID '1'.", "Could not find 'mailbox' with ID '1'."),
        ("no ada@acme.example here", "no [address] here"),
        ("Bearer sandbox-at-0123456789abcdef01234567 is bad", "Bearer [removed] is bad"),
        ("line\r\nINJECTED \x1b[31mred", "line INJECTED  [31mred"),
        ("w " * 400, "w " * 100),
        ("scheduledServerMaintenance", "scheduledServerMaintenance"),
        (None, ""),
        (["x"], ""),
    ],
)
def test_words_of_a_reply_are_one_short_line_without_addresses_or_tokens(words, shown):
    assert redact(words) == shown
