"""Outreach's records as ours: people, teams, mailboxes, prospects, and the one write."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations.connector import (
    AccountIdentity,
    MailboxRecord,
    PersonRecord,
    TeamRecord,
    UnknownValue,
    Unreadable,
)
from integrations.errors import (
    AccountRestricted,
    PolicyViolation,
    ScopeMissing,
    UnexpectedReply,
)
from integrations.outreach.connector import OutreachConnector
from integrations.outreach.scopes import REQUESTED

NEW = datetime(2027, 1, 1, tzinfo=UTC)


def records(pages):
    return {record.remote_id: record for page in pages for record in page.records}


def unreadable(pages):
    return [one for page in pages for one in page.unreadable]


def unknown(pages):
    return sum((Counter(page.unknown) for page in pages), Counter())


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


def test_a_person_is_read_whole(wire, sandbox):
    user = sandbox.directory.add_user(
        "zoe.oneil@acme.example",
        "Zoë",
        "O'Neil",
        title="  Head of <b>Sales</b>\r\n& more ",
        phone_number="+1 206-555-0199",
        bridge_phone="+12065550199",
        bridge_phone_extension="42",
    )
    sandbox.directory.move(user.id, [101, 102])
    user = sandbox.directory.users[user.id]

    person = records(wire.connector.list_people())[str(user.id)]

    assert person == PersonRecord(
        remote_id=str(user.id),
        email="zoe.oneil@acme.example",
        first_name="Zoë",
        last_name="O'Neil",
        name="Zoë O'Neil",
        title="Head of <b>Sales</b> & more",
        phone="+1 206-555-0199",
        phone_extension="42",
        updated_at=datetime.fromisoformat(user.updated_at),
        team_ids=frozenset({"101", "102"}),
    )


def test_an_extension_of_another_number_stays_out_of_the_signature(wire, sandbox):
    user = sandbox.directory.add_user(
        "bo.lund@acme.example",
        "Bo",
        "Lund",
        phone_number="+1 206-555-0199",
        bridge_phone="+1 206-555-7777",
        bridge_phone_extension="42",
    )

    person = records(wire.connector.list_people())[str(user.id)]

    assert (person.phone, person.phone_extension) == ("+1 206-555-0199", "")


def test_a_team_names_its_members_and_a_large_one_none(wire, sandbox):
    team = sandbox.directory.add_team("Small")
    sandbox.directory.move(1, [team.id])
    sandbox.settings.change(embed_limit=5)

    teams = records(wire.connector.list_teams())

    assert teams[str(team.id)] == TeamRecord(str(team.id), "Small", frozenset({"1"}))
    large = [one for one in sandbox.directory.teams if len(sandbox.directory.teams[one].user_ids) > 5]
    assert large
    assert {teams[str(one)].member_ids for one in large} == {None}


def test_a_mailbox_is_read_with_the_signature_it_holds_to_the_byte(wire, sandbox):
    html = " <table>\r\n<td>Zoë</td></table>\n"
    box = sandbox.directory.set_signature(5001, html)
    sandbox.directory.set_signature(5002, None)
    sandbox.directory.set_editable(5002, False)

    mailboxes = records(wire.connector.list_mailboxes())

    assert mailboxes["5001"] == MailboxRecord(
        remote_id="5001",
        email=box.email,
        person_id=str(box.user_id),
        signature_html=html,
        is_editable=True,
        updated_at=datetime.fromisoformat(box.updated_at),
    )
    assert (mailboxes["5002"].signature_html, mailboxes["5002"].is_editable) == ("", False)


def test_ids_that_come_as_text_are_the_same_ids(wire, sandbox):
    before = records(wire.connector.list_people())
    sandbox.settings.change(ids_as_strings=True)

    assert records(wire.connector.list_people()) == before


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


NO_LINES = [7, 10**30, 6.5, ["x"], {"a": {"b": [1]}}, True, "x" * 2_000_000, "\x00" * 5000]


@pytest.mark.parametrize("value", NO_LINES)
def test_a_record_without_an_address_that_fits_is_rejected_and_the_rest_goes_on(wire, sandbox, value):
    sandbox.faults.add("set_field", record=7, field="email", value=value)

    pages = list(wire.connector.list_people())

    [rejected] = unreadable(pages)
    assert rejected.remote_id == "7"
    assert rejected.reason.startswith("email is ")
    assert len(records(pages)) == 59


def test_the_country_of_a_phone_is_read(wire, sandbox):
    before = records(wire.connector.list_people())
    sandbox.directory.update("users", 7, phone_number="030 5550142", phone_country_code="DE")

    after = records(wire.connector.list_people())

    assert (after["7"].phone, after["7"].phone_region) == ("030 5550142", "DE")
    assert {key: record for key, record in after.items() if key != "7"} == {
        key: record for key, record in before.items() if key != "7"
    }


@pytest.mark.parametrize("value", NO_LINES)
@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("title", ("title",)),
        ("firstName", ("first_name",)),
        ("custom3", ("custom3",)),
        ("phoneNumber", ("phone", "phone_extension")),
    ],
)
def test_a_line_that_does_not_fit_is_unknown_and_the_rest_of_the_record_is_read(
    wire, sandbox, field, names, value
):
    sandbox.directory.update("users", 7, bridge_phone="+1 206 555 0100", bridge_phone_extension="4")
    before = records(wire.connector.list_people())
    sandbox.faults.add("set_field", record=7, field=field, value=value)

    pages = list(wire.connector.list_people())

    assert records(pages) == before | {"7": replace(before["7"], **dict.fromkeys(names))}
    assert (unreadable(pages), unknown(pages)) == ([], {UnknownValue(field, was_sent=True): 1})


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("email", None, "email is not an address"),
        ("email", "", "email is not an address"),
        ("email", "two words@acme.example", "email is not an address"),
        ("attributes", None, "email is absent"),
        ("attributes", [], "attributes is not an object"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(wire, sandbox, field, value, reason):
    sandbox.faults.add("set_field", record=7, field=field, value=value)

    assert unreadable(wire.connector.list_people()) == [Unreadable("7", reason)]


@pytest.mark.parametrize(("field", "reason"), [("id", "id is not an id"), ("type", "type is not user")])
def test_a_record_of_unknown_identity_is_set_aside_without_one(wire, sandbox, field, reason):
    sandbox.faults.add("set_field", record=7, field=field, value="prospect")

    assert unreadable(wire.connector.list_people()) == [Unreadable("", reason)]


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("locked", "yes", "is_locked"),
        ("locked", "false", "is_locked"),
        ("locked", 0, "is_locked"),
        ("updatedAt", "yesterday", "updated_at"),
        ("updatedAt", "2026-11-23T14:00:00", "updated_at"),
        ("updatedAt", 1764000000, "updated_at"),
        ("relationships", [], "team_ids"),
        ("relationships.teams", "x", "team_ids"),
        ("relationships.teams", {"data": None}, "team_ids"),
        ("relationships.teams", {"data": "x"}, "team_ids"),
        ("relationships.teams", {"data": [{"type": "user", "id": 1}]}, "team_ids"),
        ("relationships.teams", {"data": [{"type": "team", "id": 101}, None]}, "team_ids"),
        ("relationships.teams", {"data": [["team", 101]]}, "team_ids"),
    ],
)
def test_a_value_of_the_wrong_kind_is_unknown(wire, sandbox, field, value, name):
    before = records(wire.connector.list_people())
    sandbox.faults.add("set_field", record=7, field=field, value=value)

    pages = list(wire.connector.list_people())

    attribute = "teams" if name == "team_ids" else field
    assert records(pages) == before | {"7": replace(before["7"], **{name: None})}
    assert (unreadable(pages), unknown(pages)) == ([], {UnknownValue(attribute, was_sent=True): 1})


def test_a_team_that_is_named_twice_is_one_team(wire, sandbox):
    twice = {"data": [{"type": "team", "id": 101}, {"type": "team", "id": "0101"}]}
    sandbox.faults.add("set_field", record=7, field="relationships.teams", value=twice)

    assert records(wire.connector.list_people())["7"].team_ids == frozenset({"101"})


def test_a_title_that_is_not_answered_is_not_taken_for_an_empty_one(wire, sandbox):
    before = records(wire.connector.list_people())
    sandbox.faults.add("drop_field", record=7, field="title")

    pages = list(wire.connector.list_people())

    assert records(pages) == before | {"7": replace(before["7"], title=None)}
    assert (unreadable(pages), unknown(pages)) == ([], {UnknownValue("title", was_sent=False): 1})


@pytest.mark.parametrize("field", ["locked", "updatedAt"])
def test_null_is_no_answer_where_yes_no_or_a_time_is_asked_for(wire, sandbox, field):
    sandbox.faults.add("set_field", record=7, field=field, value=None)

    assert unknown(wire.connector.list_people()) == {UnknownValue(field, was_sent=False): 1}


def test_a_mailbox_of_which_nobody_says_whose_it_is_is_rejected(wire, sandbox):
    sandbox.faults.add("drop_field", record=5001, field="userId")
    sandbox.faults.add("drop_field", record=5001, field="relationships")
    sandbox.faults.add("set_field", record=5002, field="userId", value=None)
    sandbox.faults.add("set_field", record=5002, field="relationships.user", value={"data": None})

    pages = list(wire.connector.list_mailboxes())

    assert unreadable(pages) == [Unreadable("5001", "userId is absent, and the user relationship too")]
    assert records(pages)["5002"].person_id == ""


def test_a_mailbox_that_belongs_to_two_people_belongs_to_nobody(wire, sandbox):
    sandbox.faults.add("set_field", record=5001, field="userId", value=3)

    [aside] = unreadable(wire.connector.list_mailboxes())
    assert aside == Unreadable("5001", "userId and the user relationship name different people")


def test_teams_of_a_person_that_come_as_a_link_are_unknown_and_not_none_at_all(wire, sandbox):
    sandbox.faults.add("set_field", record=7, field="relationships.teams", value={"links": {"related": "/x"}})
    sandbox.directory.move(8, [])

    people = records(wire.connector.list_people())

    assert people["7"].team_ids is None
    assert people["8"].team_ids == frozenset()


def test_of_two_rows_with_one_id_on_a_page_the_last_counts(wire, sandbox):
    sandbox.faults.add("set_field", record=8, field="id", value=7)

    [first, _] = list(wire.connector.list_people())

    twins = [record for record in first.records if record.remote_id == "7"]
    assert [twin.email for twin in twins] == [sandbox.directory.users[8].email]


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


@pytest.fixture
def prospect(sandbox):
    return sandbox.directory.add_prospect(
        ["mira@first.example", "mira+news@second.example"],
        "Mira",
        "Vale",
        title="CFO",
        company="Vale & Sons",
        tags=("renewal",),
        owner_id=3,
        stage_id=2,
    )


@pytest.mark.parametrize("address", ["mira@first.example", " MIRA+News@Second.Example "])
def test_a_prospect_is_found_by_each_of_its_addresses(wire, sandbox, prospect, address):
    record = wire.connector.find_prospect(address, asked=["title", "company", "tags", "owner", "stage"])

    assert record.remote_id == str(prospect.id)
    assert record.emails == ("mira@first.example", "mira+news@second.example")
    assert record.attributes == {"title": "CFO", "company": "Vale & Sons"}
    assert (record.tags, record.owner_id, record.stage_id) == (("renewal",), "3", "2")
    [request] = sandbox.requests
    assert request.parameters["filter[emails][]"] == [address.strip().lower()]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ([], []),
        (["tags"], ["tags"]),
        (["city", "custom7", "owner"], ["addressCity", "owner", "custom7"]),
        (["custom150", "engaged_score"], ["engagedScore", "custom150"]),
    ],
)
def test_a_look_up_names_the_fields_it_is_asked_for_and_reads_two_rows_at_most(
    wire, sandbox, prospect, asked, named
):
    wire.connector.find_prospect("mira@first.example", asked=asked)

    [request] = sandbox.requests
    assert request.parameters["page[size]"] == ["2"]
    assert sorted(request.parameters["fields[prospect]"][0].split(",")) == sorted(
        ["emails", "trashedAt", *named]
    )


def test_an_attribute_nobody_knows_is_our_bug_and_leaves_nothing(wire, sandbox):
    with pytest.raises(ValueError, match="homePhones"):
        wire.connector.find_prospect("mira@first.example", asked=["title", "homePhones"])

    assert list(sandbox.requests) == []


def test_an_address_nobody_has_finds_nobody(wire, prospect):
    assert wire.connector.find_prospect("nobody@first.example") is None


@pytest.mark.parametrize(
    "address", ["", "mira", "a@b,c@d", "a@b..c@d", "a@x..z", "mi ra@first.example", "neginf..inf"]
)
def test_what_is_no_single_address_is_not_asked_for(wire, sandbox, address):
    assert wire.connector.find_prospect(address) is None
    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("switches", "how", "statuses"),
    [
        ({}, "array and links", [200]),
        ({"fieldset_relationships": "refuse"}, "array", [400, 200]),
        ({"array_filter_on_emails": False}, "plain and links", [400, 400, 200]),
        (
            {"array_filter_on_emails": False, "fieldset_relationships": "refuse"},
            "plain",
            [400, 400, 400, 200],
        ),
    ],
)
def test_how_to_find_is_learnt_on_an_address_nobody_has_and_serves(
    wire, sandbox, prospect, switches, how, statuses
):
    sandbox.settings.change(**switches)

    assert wire.connector.learn_how_to_find() == how

    assert [request.status for request in sandbox.requests] == statuses
    assert {_get_address(request) for request in sandbox.requests} == {"nobody@countersign.invalid"}
    sandbox.requests.clear()
    record = wire.connector.find_prospect("mira+news@second.example", asked=["title", "owner"], how=how)
    assert (record.remote_id, record.attributes) == (str(prospect.id), {"title": "CFO"})
    assert record.owner_id == ("3" if "links" in how else "")
    assert len(sandbox.requests) == 1


def _get_address(request):
    [name] = [name for name in request.parameters if name.startswith("filter")]
    return request.parameters[name][0]


def test_a_form_that_is_taken_for_no_filter_is_passed_over(wire, sandbox, prospect):
    sandbox.faults.add("set_key", key="data", value=[{"type": "prospect", "id": 1}], times=2)

    assert wire.connector.learn_how_to_find() == "plain and links"


def test_nobody_is_looked_up_where_no_form_finds_by_address(wire, sandbox, prospect):
    sandbox.faults.add("set_key", key="data", value=[{"type": "prospect", "id": 1}], times=None)

    with pytest.raises(UnexpectedReply):
        wire.connector.learn_how_to_find()


def test_somebody_else_whom_the_filter_let_through_is_not_taken(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="emails", value=["other@first.example"], times=None)

    with pytest.raises(UnexpectedReply):
        wire.connector.find_prospect("mira@first.example")

    assert len(sandbox.requests) == 1


def test_a_deleted_prospect_is_nobody(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="trashedAt", value="2026-01-01T00:00:00.000Z")

    assert wire.connector.find_prospect("mira@first.example") is None


def test_a_prospect_that_does_not_fit_raises(wire, sandbox, prospect):
    sandbox.faults.add("set_field", field="emails", value="mira@first.example")

    with pytest.raises(UnexpectedReply):
        wire.connector.find_prospect("mira@first.example")


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
