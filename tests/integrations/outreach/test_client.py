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
    UnreadableReply,
    WritesNotAllowed,
)
from integrations.interfaces import CallRecord, Permission
from integrations.outreach.client import OutreachClient, Transport
from integrations.outreach.endpoints import LIST_MAILBOXES, LIST_USERS, WRITE_SIGNATURE
from integrations.outreach.pagination import pages
from integrations.outreach.replies import InMaintenance, NotUnderstood, TokenRejected, redact
from tests.support.wire import Access

USERS = {"fields[user]": "email,title", "page[size]": "50", "count": "false", "sort": "createdAt"}
MAILBOX = "5001"


def write(wire, html="<p>Ada</p>", mailbox_id=MAILBOX):
    body = {"data": {"type": "mailbox", "id": int(mailbox_id), "attributes": {"emailSignature": html}}}
    return wire.client.send(WRITE_SIGNATURE, path_id=mailbox_id, body=body)


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
        f"Outreach asks us to wait {waits} seconds. Nothing to do: we go on by ourselves."
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


def test_a_listing_asks_for_the_same_fields_on_every_page(wire, sandbox):
    list(pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"}))

    assert [request.parameters["fields[user]"] for request in sandbox.requests] == [["email,title"]] * 3
    assert [request.parameters["count"] for request in sandbox.requests] == [["false"]] * 3


@pytest.mark.parametrize(
    "to", ["other-host", "https", "userinfo", "loopback", "other-path", "itself", "first"]
)
def test_a_next_link_that_leads_astray_ends_the_listing_before_the_token_leaves(wire, sandbox, to):
    sandbox.faults.add("next_link", to=to, times=None)

    with pytest.raises(UnexpectedReply):
        list(pages(wire.client, LIST_USERS, USERS))

    assert {request.path for request in sandbox.requests} == {"/api/v2/users"}
    assert len(sandbox.requests) == 1


def test_l4_a_next_link_or_redirect_to_another_server_sends_it_not_one_byte(wire, sandbox, serve):
    other = serve()
    cursor = "/api/v2/users?page%5Bafter%5D=x"
    base = sandbox.base_url.removeprefix("http://")
    for link in (other.base_url + cursor, f"http://{base}@{other.address}{cursor}"):
        sandbox.faults.add("next_link", to=link)
        with pytest.raises(UnexpectedReply):
            list(pages(wire.client, LIST_USERS, USERS))
    for status in (301, 302, 303, 307, 308):
        sandbox.faults.add("redirect", location=other.base_url + cursor, status=status)
        with pytest.raises(UnexpectedReply):
            wire.client.send(LIST_USERS, query=USERS)

    assert other.heads == []
    assert len(sandbox.requests) == 7


def test_cursors_that_lead_in_a_circle_end_the_listing(wire, sandbox):
    query = {**USERS, "page[size]": "25"}
    first = list(pages(wire.client, LIST_USERS, query))
    assert [page.is_last for page in first] == [False, False, True]
    links = [request.parameters["page[after]"][0] for request in list(sandbox.requests)[1:]]
    back = f"{sandbox.base_url}/api/v2/users?page%5Bafter%5D={links[0].replace('=', '%3D')}"
    sandbox.faults.add("next_link", nth=2, times=None, to=back)

    with pytest.raises(UnexpectedReply) as caught:
        list(pages(wire.client, LIST_USERS, query))

    assert caught.value.detail == "links.next leads in a circle"
    assert len(sandbox.requests) == 3 + 2


def test_an_empty_page_does_not_end_a_listing(wire, sandbox):
    sandbox.faults.add("empty_page", nth=2)

    found = list(pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"}))

    assert [(len(page.items), page.is_last) for page in found] == [(25, False), (0, False), (10, True)]


def test_a_listing_that_breaks_off_raises_and_never_says_it_is_whole(wire, sandbox):
    sandbox.faults.add("truncated_json", nth=2, times=None)

    walk = pages(wire.client, LIST_USERS, {**USERS, "page[size]": "25"})

    assert next(walk).is_last is False
    with pytest.raises(UnexpectedReply):
        while True:
            assert next(walk).is_last is False


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

    assert "tried again" in caught.value.message or "Try again" in caught.value.message
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


def test_repeated_429s_keep_reads_apart_until_outreach_answers_again(wire, sandbox):
    """The first is waited for as it says; from the second on the reads after it come more slowly."""
    for number in (1, 3, 5):
        sandbox.faults.add("rate_limited", nth=number, retry_after="delta", seconds=1)

    for _ in range(20):
        wire.client.send(LIST_USERS, query=USERS)

    assert wire.slept == [1.0, 1.0, 0.5, 0.5, 1.0, *[1.0] * 5, *[0.5] * 5]
    assert [request.status for request in sandbox.requests][:6] == [429, 200, 429, 200, 429, 200]


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
