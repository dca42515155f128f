"""Filters in the classic syntax and in the new one."""

from __future__ import annotations

import pytest

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.records import Prospect
from tests.support.sandbox_clients import Api


def test_value_matches_exactly(sandbox: Sandbox, api: Api) -> None:
    email = sandbox.directory.users[3].email

    assert api.ids("users", {"filter[email]": email}) == [3]
    assert api.ids("users", {"filter[email]": email.upper()}) == []


def test_comma_means_either_in_the_classic_syntax(sandbox: Sandbox, api: Api) -> None:
    emails = ",".join(sandbox.directory.users[number].email for number in (9, 4))

    assert api.ids("users", {"filter[email]": emails}) == [4, 9]


def test_comma_is_literal_in_the_new_syntax(sandbox: Sandbox, api: Api) -> None:
    sandbox.directory.add_team("North, South..East")

    parameters = {"newFilterSyntax": "true", "filter[name][]": "North, South..East"}

    assert len(api.ids("teams", parameters)) == 1
    assert api.ids("teams", {"filter[name]": "North, South..East"}) == []


def test_list_in_the_new_syntax_repeats_the_parameter(sandbox: Sandbox, api: Api) -> None:
    emails = [sandbox.directory.users[number].email for number in (9, 4)]

    reply = api.get("users", params={"newFilterSyntax": "true", "filter[email][]": emails})

    assert [record["id"] for record in reply.json()["data"]] == [4, 9]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2021-01-04T09:10:00.000Z..2021-01-04T09:12:00.000Z", [10, 11, 12]),
        ("2021-01-04T09:10:00Z..2021-01-04T10:12:00+01:00", [10, 11, 12]),
        ("neginf..2021-01-04T09:02:00.000Z", [1, 2]),
        ("2021-01-04T09:59:00.000Z..inf", [59, 60]),
        ("2021-01-05..inf", []),
        ("2021-01-04..2021-01-04T09:01:00Z", [1]),
        ("2021-01-04T09:03:00.000Z", [3]),
    ],
)
def test_classic_range_includes_both_ends(api: Api, value: str, expected: list[int]) -> None:
    assert api.ids("users", {"filter[createdAt]": value}) == expected


def test_range_in_the_new_syntax_has_two_bounds(api: Api) -> None:
    parameters = {
        "newFilterSyntax": "true",
        "filter[createdAt][gte]": "2021-01-04T09:10:00.000Z",
        "filter[createdAt][lte]": "2021-01-04T09:12:00.000Z",
    }

    assert api.ids("users", parameters) == [10, 11, 12]


def test_upper_bound_can_be_ignored(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.ignore_upper_bounds = True
    value = "2021-01-04T09:58:00.000Z..2021-01-04T09:58:30.000Z"

    assert api.ids("users", {"filter[createdAt]": value}) == [58, 59, 60]


def test_null_and_notnull_divide_the_table(sandbox: Sandbox, api: Api) -> None:
    never = [user.id for user in sandbox.directory.users.values() if user.current_sign_in_at is None]

    assert never
    assert api.ids("users", {"filter[currentSignInAt]": "__null__"}) == never
    assert len(api.ids("users", {"filter[currentSignInAt]": "__notnull__"})) == 60 - len(never)


def test_boolean_is_filtered_by_its_words(sandbox: Sandbox, api: Api) -> None:
    sandbox.directory.set_locked(20)
    locked = [user.id for user in sandbox.directory.users.values() if user.locked]

    assert api.ids("users", {"filter[locked]": "true"}) == locked
    assert len(api.ids("users", {"filter[locked]": "false"})) == 60 - len(locked)


def test_several_filters_must_all_hold(sandbox: Sandbox, api: Api) -> None:
    sandbox.directory.set_locked(20)
    parameters = {"filter[locked]": "true", "filter[email]": sandbox.directory.users[20].email}

    assert api.ids("users", parameters) == [20]
    assert api.ids("users", parameters | {"filter[lastName]": "Nobody"}) == []


@pytest.mark.parametrize("name", ["filter[userId]", "filter[user][id]"])
def test_mailboxes_are_found_by_their_user(sandbox: Sandbox, api: Api, name: str) -> None:
    assert tuple(api.ids("mailboxes", {name: "4"})) == sandbox.directory.users[4].mailbox_ids
    assert api.ids("mailboxes", {name: "99999"}) == []


def test_users_and_teams_are_found_through_each_other(sandbox: Sandbox, api: Api) -> None:
    team = sandbox.directory.teams[103]

    assert tuple(api.ids("users", {"filter[teams][id]": "103"})) == tuple(sorted(team.user_ids))
    assert 103 in api.ids("teams", {"filter[users][id]": str(team.user_ids[0])})


@pytest.fixture
def two_addresses(sandbox: Sandbox) -> Prospect:
    prospect = sandbox.directory.prospects[90_001]
    assert len(prospect.emails) == 2
    return prospect


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("new_syntax", [False, True])
def test_prospect_is_found_by_any_of_its_addresses(
    api: Api, two_addresses: Prospect, position: int, new_syntax: bool
) -> None:
    email = two_addresses.emails[position]
    classic, new = {"filter[emails]": email}, {"newFilterSyntax": "true", "filter[emails][]": email}

    assert api.ids("prospects", new if new_syntax else classic) == [90_001]


def test_prospect_lookup_finds_nothing_for_a_stranger(api: Api) -> None:
    reply = api.get("prospects", params={"newFilterSyntax": "true", "filter[emails][]": "x@nowhere.example"})

    assert (reply.status_code, reply.json()) == (200, {"data": []})


def test_address_that_moved_is_found_at_its_new_holder(
    sandbox: Sandbox, api: Api, two_addresses: Prospect
) -> None:
    kept, moved = two_addresses.emails
    sandbox.directory.update("prospects", 90_001, emails=(kept,))
    sandbox.directory.update("prospects", 90_002, emails=(moved,))

    assert api.ids("prospects", {"filter[emails]": moved}) == [90_002]
    assert api.ids("prospects", {"filter[emails]": kept}) == [90_001]


def test_two_prospects_with_one_address_both_come(sandbox: Sandbox, api: Api) -> None:
    twins = [sandbox.directory.add_prospect(["twin@x.example"], "A", name).id for name in ("B", "C")]

    assert api.ids("prospects", {"filter[emails]": "twin@x.example"}) == twins


def test_array_filter_on_emails_can_be_refused(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.array_filter_on_emails = False

    reply = api.get("prospects", params={"newFilterSyntax": "true", "filter[emails][]": "a@b.example"})

    assert reply.status_code == 400


def test_plus_in_an_address_must_be_encoded(sandbox: Sandbox, api: Api) -> None:
    added = sandbox.directory.add_prospect(["ann+test@x.example"], "Ann", "Plus")

    assert api.ids("prospects", {"filter[emails]": "ann+test@x.example"}) == [added.id]
    assert api.get("prospects?filter[emails]=ann+test@x.example").json()["data"] == []


def test_prospects_are_filtered_by_owner_and_score(sandbox: Sandbox, api: Api) -> None:
    mine = [each.id for each in sandbox.directory.prospects.values() if each.owner_id == 5]
    scored = [each.id for each in sandbox.directory.prospects.values() if (each.engaged_score or 0) >= 9.5]

    assert api.ids("prospects", {"filter[owner][id]": "5"}) == mine
    assert api.ids("prospects", {"filter[engagedScore]": "9.5..inf"}) == scored


def test_changes_since_an_instant_are_found(sandbox: Sandbox, api: Api) -> None:
    since = sandbox.clock.stamp()
    sandbox.directory.set_title(30, "New here")

    assert api.ids("users", {"filter[updatedAt]": f"{since}..inf", "sort": "updatedAt"}) == [30]
