"""What the client sends, waits for, repeats and records, over real HTTP."""

import threading
from dataclasses import replace

import pytest

from integrations.errors import (
    AccountRestricted,
    NotFound,
    RateLimited,
    Refused,
    Rejected,
    ScopeMissing,
    UnexpectedReply,
    Unreachable,
    WritesNotAllowed,
)
from integrations.interfaces import CallRecord, Permission
from integrations.outreach.allowed_calls import LIST_MAILBOXES, LIST_USERS
from integrations.outreach.client import OutreachClient, Transport
from integrations.outreach.replies import NotUnderstood
from tests.support.wire import MAILBOX, USERS, Access, write


def test_a_read_sends_the_media_type_and_exactly_what_was_asked(wire, sandbox):
    wire.client.send(LIST_USERS, query=USERS)

    [request] = sandbox.requests
    assert (request.method, request.path) == ("GET", "/api/v2/users")
    assert request.query == "fields%5Buser%5D=email%2Ctitle&page%5Bsize%5D=50&count=false&sort=createdAt"
    assert request.body == b""
    headers = {
        name: value for name, value in request.headers.items() if name not in ("authorization", "host")
    }
    assert headers == {
        "accept": "application/vnd.api+json",
        "accept-encoding": "gzip",
        "content-type": "application/vnd.api+json",
        "user-agent": "Countersign",
    }


def test_a_write_sends_the_signature_and_changes_no_other_mailbox(wire, sandbox):
    others = {
        key: box.email_signature for key, box in sandbox.directory.mailboxes.items() if key != int(MAILBOX)
    }

    reply = write(wire, "<p>Zoë</p>")

    [request] = sandbox.requests
    assert (request.method, request.path, request.query) == ("PATCH", f"/api/v2/mailboxes/{MAILBOX}", "")
    assert request.headers["content-type"] == "application/vnd.api+json"
    assert request.json() == {
        "data": {"type": "mailbox", "id": int(MAILBOX), "attributes": {"emailSignature": "<p>Zoë</p>"}}
    }
    assert reply.document["data"]["attributes"]["emailSignature"] == "<p>Zoë</p>"
    assert sandbox.directory.mailboxes[int(MAILBOX)].email_signature == "<p>Zoë</p>"
    assert others == {
        key: box.email_signature for key, box in sandbox.directory.mailboxes.items() if key != int(MAILBOX)
    }


def test_every_call_that_leaves_is_recorded_with_names_and_counts(wire):
    wire.client.send(LIST_USERS, query=USERS)
    write(wire)

    assert all(abs(record.skew_seconds) < 5 for record in wire.records)
    assert [replace(record, duration_ms=0, skew_seconds=None) for record in wire.records] == [
        CallRecord(
            "list_users", "users.all", "GET", "read", 200, "answered", ("email", "title"), "", 50, 0, ""
        ),
        CallRecord(
            "write_signature", "mailboxes.all", "PATCH", "write", 200, "answered",
            ("emailSignature",), MAILBOX, 1, 0, "",
        ),
    ]  # fmt: skip
    assert all(0 <= record.duration_ms < 5000 for record in wire.records)


def test_a_refused_call_is_recorded_and_no_byte_of_it_leaves(wire, sandbox):
    wire.permission = Permission(frozenset({"users.all"}), writes_allowed=True)

    with pytest.raises(ScopeMissing):
        write(wire)

    assert list(sandbox.requests) == []
    assert wire.outcomes == [("write_signature", "refused", 0)]
    assert "mailboxes.all" in wire.records[0].error


def test_a_pause_holds_from_the_next_call_on(wire, sandbox):
    write(wire)
    wire.permission = Permission(wire.permission.granted, writes_allowed=False)

    with pytest.raises(WritesNotAllowed):
        write(wire, "<p>later</p>")

    assert [request.method for request in sandbox.requests] == ["PATCH"]


@pytest.mark.parametrize(
    ("fault", "options"),
    [("rate_limited", {"retry_after": "delta", "seconds": 2}), ("unauthorized", {})],
)
@pytest.mark.parametrize(
    "change",
    [{"writes_allowed": False}, {"switched_off": frozenset({"mailboxes.all"})}, {"granted": frozenset()}],
    ids=lambda change: next(iter(change)),
)
def test_a_pause_or_a_switch_between_a_call_and_its_repeat_holds_for_the_repeat(
    make_wire, sandbox, fault, options, change
):
    """While the client waits, or renews its token, somebody takes the permission away."""
    before = sandbox.directory.mailboxes[int(MAILBOX)].email_signature

    def take_away():
        wire.permission = replace(wire.permission, **change)

    class WhileRenewing(Access):
        def renew(self, rejected):
            take_away()
            return super().renew(rejected)

    tokens = sandbox.oauth.issue_tokens(scopes=["mailboxes.all"], user_id=1)
    wire = make_wire(access=WhileRenewing([tokens["access_token"]]))
    wire.while_asleep = take_away
    sandbox.faults.add(fault, **options)

    with pytest.raises((WritesNotAllowed, ScopeMissing)):
        write(wire, "<p>after the pause</p>")

    assert [request.method for request in sandbox.requests] == ["PATCH"]
    assert [outcome for _, outcome, _ in wire.outcomes] == ["failed", "refused"]
    assert sandbox.directory.mailboxes[int(MAILBOX)].email_signature == before


@pytest.mark.parametrize("fault", ["status", "reset"])
def test_a_switch_while_a_read_waits_to_be_repeated_holds_for_the_repeat(wire, sandbox, fault):
    def switch_off():
        wire.permission = replace(wire.permission, switched_off=frozenset({"users.all"}))

    wire.while_asleep = switch_off
    sandbox.faults.add(fault, times=None)

    with pytest.raises(ScopeMissing, match="switched off here"):
        wire.client.send(LIST_USERS, query=USERS)

    assert [request.path for request in sandbox.requests] == ["/api/v2/users"]


def test_nothing_leaves_without_budget(wire, sandbox):
    wire.budget.left = 1
    wire.client.send(LIST_USERS, query=USERS)

    with pytest.raises(RateLimited) as caught:
        wire.client.send(LIST_USERS, query=USERS)

    assert caught.value.retry_after_seconds == 120
    assert len(sandbox.requests) == len(wire.records) == 1
    assert wire.slept == []


def test_every_reply_tells_the_budget_what_is_left(wire, sandbox):
    sandbox.settings.change(two_valued_remaining=True)

    wire.client.send(LIST_USERS, query=USERS)

    [(limit, remaining, resets_in)] = wire.budget.learnt
    assert (limit, remaining) == (10_000, 9_999)
    assert 0 < resets_in <= 3600


def test_a_403_for_a_scope_names_it_and_renews_nothing(make_wire, sandbox):
    wire = make_wire(scopes=("users.all",))

    with pytest.raises(ScopeMissing) as caught:
        wire.client.send(LIST_MAILBOXES, query={"fields[mailbox]": "email", "page[size]": "1"})

    assert caught.value.scope == "mailboxes.all"
    assert wire.access.renewed == []
    assert [request.status for request in sandbox.requests] == [403]


def test_a_403_by_profile_ends_a_write_alone_and_a_listing_whole(wire, sandbox):
    sandbox.faults.add("forbidden", times=2)

    with pytest.raises(Refused) as refused:
        write(wire)
    with pytest.raises(AccountRestricted) as restricted:
        wire.client.send(LIST_USERS, query=USERS)

    assert (refused.value.permanent, refused.value.stops_batch) == (True, False)
    assert (restricted.value.permanent, restricted.value.stops_batch) == (True, True)
    assert "governance profile" in restricted.value.message


def test_an_uneditable_mailbox_refuses_and_its_neighbour_does_not(wire, sandbox):
    sandbox.directory.set_editable(int(MAILBOX), False)

    with pytest.raises(Refused):
        write(wire)
    write(wire, "<p>neighbour</p>", "5002")

    assert sandbox.directory.mailboxes[5002].email_signature == "<p>neighbour</p>"


def test_a_mailbox_that_is_gone_is_not_found(wire):
    with pytest.raises(NotFound):
        write(wire, mailbox_id="999999")


def test_a_signature_outreach_does_not_take_is_rejected_with_its_field(wire):
    with pytest.raises(Rejected) as caught:
        write(wire, "x" * 65_536)

    assert caught.value.field == "emailSignature"
    assert "422" in caught.value.detail


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, UnexpectedReply),
        (301, UnexpectedReply),
        (400, NotUnderstood),
        (404, UnexpectedReply),
        (405, UnexpectedReply),
        (406, UnexpectedReply),
        (409, UnexpectedReply),
        (415, UnexpectedReply),
        (418, UnexpectedReply),
        (422, UnexpectedReply),
        (500, Unreachable),
        (502, Unreachable),
        (504, Unreachable),
        (599, Unreachable),
    ],
)
def test_a_listing_that_is_not_answered_is_named(wire, sandbox, status, error):
    sandbox.faults.add("status", status=status, body="<html>no</html>", times=None)

    with pytest.raises(error) as caught:
        wire.client.send(LIST_USERS, query={**USERS, "page[size]": "25"})

    assert isinstance(caught.value, error)
    assert caught.value.detail == f"HTTP {status}"
    assert {record.status for record in wire.records} == {status}


@pytest.mark.parametrize(
    ("status", "error"), [(409, Rejected), (413, Rejected), (404, NotFound), (410, NotFound)]
)
def test_a_write_that_fails_for_its_mailbox_does_not_stop_the_batch(wire, sandbox, status, error):
    sandbox.faults.add("status", status=status)

    with pytest.raises(error) as caught:
        write(wire)

    assert caught.value.stops_batch is False


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "reset"},
        {"kind": "cut", "bytes": 200},
        {"kind": "cut", "bytes": 3000},
    ],
)
def test_a_read_is_repeated_three_times_with_growing_pauses(wire, sandbox, fault):
    sandbox.faults.add(**fault, times=None)

    with pytest.raises(Unreachable):
        wire.client.send(LIST_USERS, query=USERS)

    assert len(sandbox.requests) == len(wire.records) == 4
    assert wire.slept == [0.5, 1.0, 2.0]


def test_a_call_has_a_minute_unless_it_is_told_otherwise(sandbox, wire):
    """The transport is told; that it keeps to it is in its own tests."""
    given = []

    class Telling(Transport):
        def exchange(self, *args, seconds, **options):
            given.append(seconds)
            return super().exchange(*args, seconds=seconds, **options)

    for options in ({}, {"seconds": 5.0}):
        with OutreachClient(
            base_url=sandbox.base_url, access=wire.access, budget=wire.budget, transport=Telling(),
            permission=lambda: wire.permission, record=wire.records.append, **options,
        ) as client:  # fmt: skip
            client.send(LIST_USERS, query=USERS)

    assert given == [60.0, 5.0]


def test_one_client_writes_from_eight_threads_and_each_mailbox_gets_its_own(wire, sandbox):
    ids = sorted(sandbox.directory.mailboxes)[:24]
    ids = [one for one in ids if sandbox.directory.mailboxes[one].editable]

    def work(chosen):
        for mailbox_id in chosen:
            write(wire, f"<p>{mailbox_id}</p>", str(mailbox_id))

    threads = [threading.Thread(target=work, args=(ids[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {one: sandbox.directory.mailboxes[one].email_signature for one in ids} == {
        one: f"<p>{one}</p>" for one in ids
    }
    assert len(wire.records) == len(ids)
