"""Pages that do not come: halved whatever the reason, down to one record, and grown again."""

from __future__ import annotations

import pytest

from integrations.errors import ReplyTooLarge, UnexpectedReply, Unreachable, UnreadableReply
from integrations.outreach.allowed_calls import LIST_MAILBOXES, LIST_TEAMS, LIST_USERS
from integrations.outreach.page_size import PageSize
from integrations.outreach.pagination import NOT_ANSWERED, SOME_NOT_ANSWERED, pages

USERS = {"fields[user]": "email,title", "page[size]": "50", "count": "false", "sort": "createdAt"}
MAILBOXES = {
    "fields[mailbox]": "email,emailSignature,userId",
    "page[size]": "50",
    "count": "false",
    "sort": "createdAt",
}


def get_sizes(sandbox):
    return [int(request.parameters["page[size]"][0]) for request in sandbox.requests]


def read(wire, endpoint, query):
    """Every item of a listing, what was left out, and whether it came to its end."""
    found = list(pages(wire.client, endpoint, query))
    assert [page.is_last for page in found] == [False] * (len(found) - 1) + [True]
    return [item for page in found for item in page.items], [one for page in found for one in page.unread]


def get_ids(items):
    return sorted(item["id"] for item in items)


FAULTS = [
    ("status", {"status": 500}),
    ("status", {"status": 502}),
    ("status", {"status": 503}),
    ("status", {"status": 504}),
    ("status", {"status": 408}),
    ("status", {"status": 520}),
    ("status", {"status": 403, "body": "<html>no</html>"}),
    ("body", {"value": "<html>no</html>"}),
    ("body", {"value": ""}),
    ("body", {"value": '{"meta": {}}'}),
    ("body", {"value": '{"data": null}'}),
    ("body", {"value": '{"data": {}}'}),
    ("body", {"value": '{"data": [], "links": "none"}'}),
    ("content_type", {"value": "text/html"}),
    ("truncated_json", {}),
    ("cut", {"bytes": 300}),
    ("reset", {}),
    ("huge", {"bytes": 16 * 1024 * 1024 + 1}),
]


@pytest.mark.parametrize(("kind", "options"), FAULTS)
@pytest.mark.parametrize("size", [50, 25])
def test_a_page_that_does_not_come_is_halved_whatever_the_reason(wire, sandbox, kind, options, size):
    """Larger pages never come, smaller ones do: the list is whole, and nobody is on it twice."""
    for too_large in (50, 25):
        if too_large >= size:
            sandbox.faults.add(kind, query=f"page[size]={too_large}&", times=None, **options)

    items, unread = read(wire, LIST_USERS, USERS)

    assert (get_ids(items), unread) == (sorted(sandbox.directory.users), [])
    sizes = get_sizes(sandbox)
    assert sizes[:3] == ([50, 25, 25] if size == 50 else [50, 25, 12])
    assert sum(wire.slept) <= 3


@pytest.mark.parametrize("how", ["slow", "drip"])
def test_a_page_that_takes_too_long_is_halved(make_wire, sandbox, how):
    options = {"seconds": 5} if how == "slow" else {"bytes": 1, "seconds": 0.01}
    sandbox.faults.add(how, query="page[size]=50&", times=None, **options)
    wire = make_wire(seconds=1.0)

    items, unread = read(wire, LIST_USERS, USERS)

    assert (get_ids(items), unread) == (sorted(sandbox.directory.users), [])
    assert get_sizes(sandbox)[:2] == [50, 25]
    assert wire.slept == []  # it has waited enough


def test_a_page_too_heavy_is_halved_and_the_list_is_whole(wire, sandbox):
    sandbox.settings.change(heavy_page_size=30)

    items, _ = read(wire, LIST_USERS, {**USERS, "page[size]": "240"})

    assert get_ids(items) == sorted(sandbox.directory.users)
    assert get_sizes(sandbox) == [240, 120, 60, 30, 30]
    assert wire.slept == []


def test_a_page_that_gets_too_heavy_in_the_middle_goes_on_from_its_cursor_and_grows_again(wire, sandbox):
    sandbox.faults.add("bad_gateway", nth=3, times=2)

    items, _ = read(wire, LIST_USERS, {**USERS, "page[size]": "8"})

    assert get_ids(items) == sorted(sandbox.directory.users)
    assert get_sizes(sandbox) == [8, 8, 8, 4, 2, 2, 4, 4, *[8] * 4]


def test_large_pages_that_never_come_are_asked_for_ever_more_rarely():
    size, asked = PageSize(64, largest=64), []
    for _ in range(200):
        asked.append(size.now)
        if size.now > 8:
            size.halve()
        else:
            size.grow()

    failed = [number for number, now in enumerate(asked) if now > 8]
    assert failed == [0, 1, 2, 5, 10, 19, 36, 69, 134]


@pytest.mark.parametrize("signature_bytes", [40_000, 60_000, 65_535])
def test_mailboxes_with_pictures_in_their_signatures_are_read(wire, sandbox, signature_bytes):
    """A page of them is larger than any page we take; smaller ones are not."""
    for number in range(200, 500):
        sandbox.directory.add_user(f"person{number}@acme.example", "Person", str(number))
    for mailbox in sandbox.directory.mailboxes:
        sandbox.directory.set_signature(mailbox, "x" * signature_bytes)
    query = {**MAILBOXES, "page[size]": "500"}

    items, unread = read(wire, LIST_MAILBOXES, query)

    assert (get_ids(items), unread) == (sorted(sandbox.directory.mailboxes), [])
    assert {len(item["attributes"]["emailSignature"]) for item in items} == {signature_bytes}
    assert max(get_sizes(sandbox)) == 500 and min(get_sizes(sandbox)) >= 125


@pytest.mark.parametrize(("kind", "options"), [*FAULTS, ("bad_gateway", {})])
def test_an_outage_is_told_after_one_record_alone_did_not_come_either(wire, sandbox, kind, options):
    sandbox.faults.add(kind, times=None, **options)

    with pytest.raises((Unreachable, UnreadableReply)):
        list(pages(wire.client, LIST_USERS, USERS))

    sizes = get_sizes(sandbox)
    assert sizes == [
        50,
        25,
        12,
        6,
        3,
        *[1] * 4,
        1,
        1,
        1,
    ]  # less of one record, one from the other end, and once more
    assert sum(wire.slept) <= 6


def test_where_nobody_listens_no_smaller_page_is_tried(make_wire, serve):
    server = serve()
    server.close()
    wire = make_wire(base_url=server.base_url)

    with pytest.raises(Unreachable):
        list(pages(wire.client, LIST_USERS, USERS))

    assert wire.outcomes == [("list_users", "failed", 0)] * 4


ONE_OF_EACH = [(LIST_USERS, USERS), (LIST_MAILBOXES, MAILBOXES)]


@pytest.mark.parametrize(("endpoint", "query"), ONE_OF_EACH, ids=["users", "mailboxes"])
@pytest.mark.parametrize("place", [0, 17, -1])
@pytest.mark.parametrize("status", [500, 504])
def test_a_record_that_never_comes_whole_is_left_out_alone_and_named(
    wire, sandbox, endpoint, query, place, status
):
    table = sandbox.directory.users if endpoint is LIST_USERS else sandbox.directory.mailboxes
    order = sorted(table)
    field = "title" if endpoint is LIST_USERS else "emailSignature"
    bad = order[place]
    sandbox.faults.add("poisoned", record=bad, field=field, status=status, times=None)

    items, unread = read(wire, endpoint, query)

    assert get_ids(items) == [number for number in order if number != bad]
    [left_out] = unread
    assert left_out.remote_id == str(bad)
    assert left_out.reason.startswith(NOT_ANSWERED)


def test_several_records_that_never_come_whole_are_each_left_out(wire, sandbox):
    order = sorted(sandbox.directory.users)
    for bad in (order[3], order[4], order[40]):
        sandbox.faults.add("poisoned", record=bad, field="title", times=None)

    items, unread = read(wire, LIST_USERS, USERS)

    assert get_ids(items) == [one for one in order if one not in (order[3], order[4], order[40])]
    assert [one.remote_id for one in unread] == [str(order[place]) for place in (3, 4, 40)]


@pytest.mark.parametrize("place", [1, 30, -1, 0])
def test_what_lies_behind_a_record_that_never_comes_at_all_is_read_from_the_other_end(wire, sandbox, place):
    """Nothing tells its cursor, nor its id; everybody else is read."""
    order = sorted(sandbox.directory.users)
    sandbox.faults.add("poisoned", record=order[place], times=None)

    items, unread = read(wire, LIST_USERS, USERS)

    assert get_ids(items) == [one for one in order if one != order[place]]
    assert [(one.remote_id, one.reason) for one in unread] == [("", SOME_NOT_ANSWERED)]


def test_an_outage_in_the_middle_is_not_taken_for_a_record_that_never_comes(wire, sandbox):
    """Everything fails from some page on, both ways: the list is not complete without what was not read."""
    sandbox.faults.add("status", nth=3, times=None)

    with pytest.raises(Unreachable):
        list(pages(wire.client, LIST_TEAMS, {"fields[team]": "name", "page[size]": "1", "count": "false"}))


@pytest.mark.parametrize("answers", [1, 2, 3, 4, 5, 6, 8, 13])
def test_an_outage_that_comes_and_goes_never_makes_half_a_list_a_whole_one(wire, sandbox, answers):
    """Whatever is answered in between, the walk tells every record or raises."""
    sandbox.faults.add("status", nth=2, times=9)
    sandbox.faults.add("status", nth=11 + answers, times=None)

    try:
        items, unread = read(wire, LIST_USERS, {**USERS, "page[size]": "10"})
    except (Unreachable, UnexpectedReply):
        return
    assert (get_ids(items), unread) == (sorted(sandbox.directory.users), [])


def test_one_reply_too_large_for_itself_is_told_by_its_size(wire, sandbox):
    sandbox.faults.add("huge", bytes=16 * 1024 * 1024 + 1, times=None)

    with pytest.raises(ReplyTooLarge) as caught:
        wire.client.send(LIST_USERS, query=USERS)

    assert caught.value.detail == f"larger than {16 * 1024 * 1024} bytes"
    assert len(sandbox.requests) == 1


def test_a_permission_taken_away_while_a_page_is_halved_ends_the_walk(wire, sandbox):
    sandbox.faults.add("status", times=None)
    walk = pages(wire.client, LIST_USERS, USERS)
    assert next(walk).items == []
    wire.permission = type(wire.permission)(frozenset())

    with pytest.raises(Exception, match="did not grant"):
        next(walk)

    assert len(sandbox.requests) == 1
