"""How records are read: what fits, what is unknown, and what is rejected."""

from dataclasses import replace
from datetime import datetime

import pytest

from integrations.connector import (
    MailboxRecord,
    PersonRecord,
    TeamRecord,
    UnknownValue,
    Unreadable,
)
from tests.support.wire import records, unknown, unreadable


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
