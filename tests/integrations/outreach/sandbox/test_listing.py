"""Collections: paging by cursor, order, counts, links, fieldsets, relationships."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.records import User
from tests.support.sandbox_clients import Api


@pytest.mark.parametrize("plural", ["users", "teams", "mailboxes", "prospects"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_following_next_reads_every_record_once(sandbox: Sandbox, api: Api, plural: str, size: int) -> None:
    expected = sorted(sandbox.directory.table(plural))

    assert api.ids(plural, {"page[size]": size}) == expected


def test_page_holds_fifty_by_default(api: Api) -> None:
    assert len(api.get("users").json()["data"]) == 50


def test_links_are_absolute_with_encoded_brackets(sandbox: Sandbox, api: Api) -> None:
    links = api.get("users?page[size]=10&fields[user]=email").json()["links"]

    assert set(links) == {"first", "next"}
    assert links["first"] == f"{sandbox.base_url}/api/v2/users?page%5Bsize%5D=10&fields%5Buser%5D=email"
    assert links["next"].startswith(links["first"] + "&page%5Bafter%5D=")


def test_cursor_is_base64_json_in_outreachs_form(api: Api) -> None:
    next_url = api.get("users?page[size]=2&sort=createdAt").json()["links"]["next"]

    cursor = parse_qs(urlsplit(next_url).query)["page[after]"][0]
    assert json.loads(base64.b64decode(cursor)) == {
        "cn": "ApiV2::UsersController",
        "sp": "createdAt",
        "sv": ["2021-01-04T09:02:00.000Z"],
        "id": 2,
        "v": 1,
    }


def test_prev_leads_back_over_the_same_pages(api: Api) -> None:
    first = api.get("users?page[size]=20").json()
    second = api.call("GET", first["links"]["next"]).json()
    third = api.call("GET", second["links"]["next"]).json()

    assert "next" not in third["links"]
    assert api.call("GET", third["links"]["prev"]).json()["data"] == second["data"]
    assert api.call("GET", second["links"]["prev"]).json()["data"] == first["data"]
    assert "prev" not in api.call("GET", second["links"]["prev"]).json()["links"]


def test_empty_result_has_no_links(api: Api) -> None:
    assert api.get("users", params={"filter[email]": "nobody@acme.example"}).json() == {"data": []}


def test_count_comes_only_when_asked_for(api: Api) -> None:
    assert "meta" not in api.get("users").json()
    assert "meta" not in api.get("users?count=false").json()
    assert api.get("users?count=true&page[size]=1").json()["meta"] == {
        "count": 60,
        "count_truncated": False,
    }
    assert api.get("users?count=true&filter[email]=x").json() == {
        "data": [],
        "meta": {"count": 0, "count_truncated": False},
    }


def test_count_under_load_is_zero_and_truncated(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.overloaded_counts = True

    document = api.get("users?count=true").json()

    assert document["meta"] == {"count": 0, "count_truncated": True}
    assert len(document["data"]) == 50


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("createdAt", lambda user: (user.created_at, user.id)),
        ("lastName,firstName", lambda user: (user.last_name, user.first_name, user.id)),
        ("currentSignInAt", lambda user: (user.current_sign_in_at or "", user.id)),
        ("locked,email", lambda user: (user.locked, user.email)),
    ],
)
def test_order_holds_over_pages(sandbox: Sandbox, api: Api, sort: str, key: Callable[[User], Any]) -> None:
    expected = [user.id for user in sorted(sandbox.directory.users.values(), key=key)]

    assert api.ids("users", {"sort": sort, "page[size]": 7}) == expected


def test_minus_turns_the_order(sandbox: Sandbox, api: Api) -> None:
    newest_first = sorted(sandbox.directory.users, reverse=True)

    assert api.ids("users", {"sort": "-createdAt", "page[size]": 7}) == newest_first


def test_orders_may_be_mixed(sandbox: Sandbox, api: Api) -> None:
    users = sorted(sandbox.directory.users.values(), key=lambda user: user.email)
    users.sort(key=lambda user: user.locked, reverse=True)

    assert api.ids("users", {"sort": "-locked,email", "page[size]": 7}) == [user.id for user in users]


def test_record_changed_between_pages_is_neither_lost_nor_doubled(sandbox: Sandbox, api: Api) -> None:
    first = api.get("users?page[size]=10&sort=createdAt").json()
    sandbox.directory.set_title(10, "Moved on")
    sandbox.directory.remove_user(5)

    rest = api.call("GET", first["links"]["next"]).json()

    assert [user["id"] for user in rest["data"]] == list(range(11, 21))


def test_cursor_of_another_order_is_refused(api: Api) -> None:
    next_url = api.get("users?page[size]=2&sort=createdAt").json()["links"]["next"]

    assert api.call("GET", next_url.replace("sort=createdAt", "sort=updatedAt")).status_code == 400
    assert api.call("GET", next_url.replace("/users?", "/mailboxes?")).status_code == 400


def test_cursor_with_values_of_another_kind_is_refused(api: Api) -> None:
    document = {"cn": "ApiV2::UsersController", "sp": "createdAt", "sv": [5], "id": 2, "v": 1}
    cursor = base64.b64encode(json.dumps(document).encode()).decode()

    assert api.get("users", params={"sort": "createdAt", "page[after]": cursor}).status_code == 400


def test_ids_are_integers_unless_switched(sandbox: Sandbox, api: Api) -> None:
    path = "users/3?fields[user]=mailbox,teams"
    before = api.get(path).json()["data"]
    sandbox.settings.ids_as_strings = True
    after = api.get(path).json()["data"]

    assert (before["id"], after["id"]) == (3, "3")
    assert isinstance(before["relationships"]["mailbox"]["data"]["id"], int)
    assert isinstance(after["relationships"]["teams"]["data"][0]["id"], str)


def test_instants_have_milliseconds_and_z(api: Api) -> None:
    attributes = api.get("users/1").json()["data"]["attributes"]

    assert attributes["createdAt"] == "2021-01-04T09:01:00.000Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", attributes["updatedAt"])


def test_fieldset_names_attributes_and_relationships(sandbox: Sandbox, api: Api) -> None:
    record = api.get("users/1?fields[user]=email,title,teams").json()["data"]

    user = sandbox.directory.users[1]
    (team_id,) = user.team_ids
    assert record == {
        "type": "user",
        "id": 1,
        "attributes": {"email": user.email, "title": user.title},
        "relationships": {
            "teams": {
                "data": [{"type": "team", "id": team_id}],
                "links": {"related": f"{sandbox.base_url}/api/v2/teams?filter%5Busers%5D%5Bid%5D=1"},
                "meta": {"count": 1},
            }
        },
        "links": {"self": f"{sandbox.base_url}/api/v2/users/1"},
    }


def test_fieldset_of_another_type_changes_nothing(api: Api) -> None:
    assert api.get("users/1?fields[team]=name").json() == api.get("users/1").json()


def test_relationships_in_a_fieldset_can_be_refused(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.fieldset_relationships = "refuse"

    assert api.get("users?fields[user]=email,teams").status_code == 400
    assert api.get("users?fields[user]=email").status_code == 200


def test_contact_histogram_comes_only_when_named(api: Api) -> None:
    assert "contactHistogram" not in api.get("prospects/90001").json()["data"]["attributes"]
    named = api.get("prospects/90001?fields[prospect]=contactHistogram").json()["data"]
    assert named["attributes"] == {"contactHistogram": []}


def test_write_only_attributes_never_come(api: Api) -> None:
    record = api.get("mailboxes/5001?fields[mailbox]=password,smtpPassword,email").json()["data"]

    assert set(record["attributes"]) == {"email"}
    assert not {"password", "smtpPassword", "sendgridApiKey"} & set(
        api.get("mailboxes/5001").json()["data"]["attributes"]
    )


def test_related_links_can_be_followed(sandbox: Sandbox, api: Api) -> None:
    relationships = api.get("users/4").json()["data"]["relationships"]

    mailboxes = api.call("GET", relationships["mailboxes"]["links"]["related"]).json()["data"]
    teams = api.call("GET", relationships["teams"]["links"]["related"]).json()["data"]

    assert tuple(each["id"] for each in mailboxes) == sandbox.directory.users[4].mailbox_ids
    assert tuple(each["id"] for each in teams) == sandbox.directory.users[4].team_ids


def test_large_relationship_is_a_link_alone(sandbox: Sandbox, api: Api) -> None:
    team = max(sandbox.directory.teams.values(), key=lambda each: len(each.user_ids))
    sandbox.settings.embed_limit = len(team.user_ids)
    embedded = api.get(f"teams/{team.id}").json()["data"]["relationships"]["users"]
    sandbox.settings.embed_limit -= 1
    linked = api.get(f"teams/{team.id}").json()["data"]["relationships"]["users"]

    assert embedded["meta"] == {"count": len(team.user_ids)}
    assert [each["id"] for each in embedded["data"]] == list(team.user_ids)
    assert linked == {"links": embedded["links"]}


def test_heavy_page_is_a_bad_gateway(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.heavy_page_size = 25

    heavy = api.get("users?page[size]=26")

    assert (heavy.status_code, heavy.text) == (502, "Bad Gateway")
    assert api.get("users?page[size]=25").status_code == 200


def test_change_shows_at_once_in_listings_and_alone(sandbox: Sandbox, api: Api) -> None:
    api.ids("users")
    before = api.get("users/8").json()["data"]["attributes"]
    sandbox.directory.set_title(8, "Chief Listener")

    after = api.get("users/8").json()["data"]["attributes"]

    assert after == before | {"title": "Chief Listener", "updatedAt": after["updatedAt"]}
    assert after["updatedAt"] > before["updatedAt"]
    listed = {record["id"]: record["attributes"] for record in api.get("users").json()["data"]}
    assert listed[8] == after
