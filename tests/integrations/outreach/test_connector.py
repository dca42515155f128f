"""Outreach's records as ours: people, teams, mailboxes, and the one write."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations.connector import (
    AccountIdentity,
)
from integrations.errors import (
    AccountRestricted,
    PolicyViolation,
    ScopeMissing,
    UnexpectedReply,
)
from integrations.outreach.connector import OutreachConnector
from integrations.outreach.scopes import REQUESTED
from tests.support.wire import records, unreadable

NEW = datetime(2027, 1, 1, tzinfo=UTC)


def test_every_person_team_and_mailbox_arrives_once_and_the_last_page_says_so(wire, sandbox):
    people, teams, mailboxes = (
        list(listing())
        for listing in (wire.connector.list_people, wire.connector.list_teams, wire.connector.list_mailboxes)
    )

    assert sorted(map(int, records(people))) == sorted(sandbox.directory.users)
    assert sorted(map(int, records(teams))) == sorted(sandbox.directory.teams)
    assert sorted(map(int, records(mailboxes))) == sorted(sandbox.directory.mailboxes)
    for pages in (people, teams, mailboxes):
        assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert unreadable(pages) == []


def test_only_what_changed_is_asked_for_and_the_answer_is_filtered_again(wire, sandbox):
    since = datetime.fromisoformat(sandbox.directory.set_title(7, "Chief of Staff").updated_at)

    assert set(records(wire.connector.list_people(updated_since=since))) == {"7"}
    [request] = sandbox.requests
    assert request.parameters["newFilterSyntax"] == ["true"]
    assert request.parameters["filter[updatedAt][gte]"] == [
        since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ]

    # The sandbox answers with older rows too, as Outreach was seen to do.
    sandbox.faults.add("set_field", field="updatedAt", value="2001-01-01T00:00:00.000Z", times=None)
    assert records(wire.connector.list_people(updated_since=since)) == {}


def test_an_instant_of_another_zone_asks_for_the_same_moment(wire, sandbox):
    sandbox.directory.set_title(7, "Chief of Staff")
    plus_two = datetime.fromisoformat("2026-11-23T14:00:00.123+02:00")

    list(wire.connector.list_mailboxes(updated_since=plus_two))

    assert sandbox.requests[-1].parameters["filter[updatedAt][gte]"] == ["2026-11-23T12:00:00.123Z"]


def test_nothing_new_takes_one_call_each(wire, sandbox):
    later = datetime.now(UTC) + timedelta(days=1)

    assert [page.is_last for page in wire.connector.list_people(updated_since=later)] == [True]
    assert [page.is_last for page in wire.connector.list_mailboxes(updated_since=later)] == [True]
    assert len(sandbox.requests) == 2


def test_a_fieldset_that_may_not_name_relationships_is_asked_without_and_remembered(wire, sandbox):
    sandbox.settings.change(fieldset_relationships="refuse")

    people = records(wire.connector.list_people())
    teams = records(wire.connector.list_teams())

    assert len(people) == 60
    assert set(teams) == {str(one) for one in sandbox.directory.teams}
    assert [request.status for request in sandbox.requests] == [400, 200, 200, 200]
    assert all("teams" not in request.parameters["fields[user]"][0] for request in sandbox.requests[1:3])


def test_an_empty_collection_is_one_last_page(wire, sandbox):
    sandbox.faults.add("empty_collection", path="/api/v2/teams")

    [page] = wire.connector.list_teams()

    assert (page.records, page.unreadable, page.is_last) == ((), (), True)


def test_the_account_is_named_by_its_oldest_user_however_the_page_is_sorted(wire, sandbox):
    expected = AccountIdentity(sandbox.directory.organisation_admin.user_guid, "acme.example")

    assert wire.connector.identify_account() == expected
    sandbox.faults.add("shuffle", times=None)
    assert wire.connector.identify_account() == expected
    sandbox.directory.add_user("new@acme.example", "New", "Colleague")
    assert wire.connector.identify_account() == expected


def test_an_account_that_sees_nobody_is_not_named(wire, sandbox):
    sandbox.faults.add("empty_collection")

    with pytest.raises(UnexpectedReply):
        wire.connector.identify_account()


def test_mailboxes_of_some_people_are_read_in_one_call(wire, sandbox):
    boxes = sandbox.directory.mailboxes
    wanted = sorted({box.user_id for box in boxes.values()})[:5]

    found = wire.connector.read_mailboxes([str(one) for one in wanted])

    expected = {str(key) for key, box in boxes.items() if box.user_id in wanted}
    assert {record.remote_id for record in found} == expected
    [request] = sandbox.requests
    assert request.parameters["filter[userId]"] == [",".join(map(str, wanted))]


def test_a_mailbox_of_somebody_else_is_dropped_from_the_answer(wire, sandbox):
    sandbox.faults.add("empty_page")
    assert wire.connector.read_mailboxes(["1"]) == []

    sandbox.faults.add("set_field", record=5001, field="userId", value=3)
    sandbox.faults.add("drop_field", record=5001, field="relationships")
    assert wire.connector.read_mailboxes(["1"]) == []


def test_reading_mailboxes_is_all_or_nothing(wire, sandbox):
    sandbox.faults.add("set_field", record=5001, field="emailSignature", value=7)

    with pytest.raises(UnexpectedReply) as caught:
        wire.connector.read_mailboxes(["1", "3"])

    assert caught.value.detail == "mailbox 5001: emailSignature is not a text"


def test_nobody_costs_no_call_and_more_than_a_hundred_and_fifty_are_our_mistake(wire, sandbox):
    assert wire.connector.read_mailboxes([]) == []
    with pytest.raises(ValueError, match="150"):
        wire.connector.read_mailboxes([str(one) for one in range(1, 152)])

    assert list(sandbox.requests) == []


def test_a_written_signature_comes_back_as_outreach_keeps_it(wire, sandbox):
    sandbox.settings.change(signature_normaliser="wrap")

    record = wire.connector.write_signature("5001", "<p>Ada</p>")

    assert record.signature_html == sandbox.directory.mailboxes[5001].email_signature != "<p>Ada</p>"
    assert (record.remote_id, record.person_id) == ("5001", "1")


def test_an_empty_signature_clears_it(wire, sandbox):
    assert wire.connector.write_signature("5001", "").signature_html == ""
    assert sandbox.directory.mailboxes[5001].email_signature in ("", None)


@pytest.mark.parametrize(("field", "value"), [("id", 5002), ("type", "user"), ("emailSignature", 7)])
def test_a_write_whose_reply_shows_something_else_is_not_believed(wire, sandbox, field, value):
    sandbox.faults.add("set_field", field=field, value=value)

    with pytest.raises(UnexpectedReply):
        wire.connector.write_signature("5001", "<p>Ada</p>")


@pytest.mark.parametrize("mailbox_id", ["", "x", "5001/", "../5001", "５００１", "05001", "-1"])
def test_a_mailbox_id_that_is_none_is_our_bug_and_leaves_nothing(wire, sandbox, mailbox_id):
    with pytest.raises(PolicyViolation):
        wire.connector.write_signature(mailbox_id, "<p>Ada</p>")

    assert list(sandbox.requests) == []


@pytest.mark.parametrize("scope", REQUESTED)
def test_an_unknown_grant_is_learnt_by_the_smallest_read(make_wire, sandbox, scope):
    wire = make_wire(scopes=(scope,))
    before = sandbox.directory.prospects.copy()

    assert [wire.connector.is_granted(one) for one in REQUESTED] == [one == scope for one in REQUESTED]

    assert [request.status for request in sandbox.requests] == [
        200 if one == scope else 403 for one in REQUESTED
    ]
    assert sandbox.directory.prospects == before


def test_asking_for_a_grant_reads_no_prospect(wire, sandbox):
    assert wire.connector.is_granted("prospects.read") is True

    assert [(record.endpoint, record.item_count) for record in wire.records] == [("find_prospect", 0)]


def test_a_scope_that_is_off_here_is_not_asked_for_at_outreach(wire, sandbox):
    wire.permission = type(wire.permission)(None, frozenset({"teams.read"}))

    assert wire.connector.is_granted("teams.read") is False
    assert list(sandbox.requests) == []


def test_a_missing_scope_ends_a_listing_without_a_call(wire, sandbox):
    wire.permission = type(wire.permission)(frozenset({"users.all"}))

    with pytest.raises(ScopeMissing):
        list(wire.connector.list_teams())

    assert list(sandbox.requests) == []


def test_a_narrow_profile_ends_a_listing_with_what_to_do(wire, sandbox):
    sandbox.faults.add("forbidden")

    with pytest.raises(AccountRestricted, match="governance profile"):
        list(wire.connector.list_mailboxes())


@pytest.mark.parametrize(("size", "calls"), [(25, 3), (60, 1), (500, 1), (1000, 1)])
def test_the_page_size_is_the_one_that_was_set(wire, sandbox, size, calls):
    people = records(OutreachConnector(wire.client, page_size=size).list_people())

    assert len(people) == 60
    assert [request.parameters["page[size]"] for request in sandbox.requests] == [[str(size)]] * calls
