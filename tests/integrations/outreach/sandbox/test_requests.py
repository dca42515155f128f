"""What every API request is held to: token, media type, known path, known parameters."""

from __future__ import annotations

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from tests.support.sandbox_clients import Api


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("media_type", [None, "application/json", "application/vnd.api+json; charset=utf-8"])
def test_every_request_needs_the_media_type(
    sandbox: Sandbox, api: Api, method: str, media_type: str | None
) -> None:
    path = "mailboxes" if method == "POST" else "mailboxes/5001"
    before = dict(sandbox.directory.mailboxes)

    reply = api.call(method, path, headers={"Content-Type": media_type})

    assert reply.status_code == 415
    assert reply.json()["errors"][0]["id"] == "unsupportedMediaType"
    assert sandbox.directory.mailboxes == before


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer unknown", "Basic c2FuZGJveA=="])
def test_unknown_token_is_401(sandbox: Sandbox, authorization: str | None) -> None:
    headers = {"Content-Type": "application/vnd.api+json"}
    if authorization is not None:
        headers["Authorization"] = authorization

    reply = requests.get(f"{sandbox.base_url}/api/v2/users", headers=headers, timeout=10)

    assert (reply.status_code, reply.json()["error"]) == (401, "Invalid JWT token.")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nonsense"),
        ("GET", "Users"),
        ("GET", "users/"),
        ("GET", "users/1/mailboxes"),
        ("GET", "users//1"),
        ("DELETE", "users/1"),
        ("POST", "users/1"),
        ("PATCH", "users"),
        ("DELETE", "mailboxes"),
        ("PUT", "mailboxes/5001"),
        ("POST", "mailboxes/5001/actions/explode"),
        ("GET", "mailboxes/5001/actions/testSend"),
    ],
)
def test_undocumented_path_or_method_is_route_not_found(
    sandbox: Sandbox, api: Api, method: str, path: str
) -> None:
    reply = api.call(method, path, data="{}")

    assert reply.status_code == 404
    assert reply.json()["errors"][0]["id"] == "routeNotFound"
    assert reply.json()["errors"][0]["detail"] == (
        "The request path does not match any known resource endpoints."
    )


@pytest.mark.parametrize(
    ("path", "type", "shown"),
    [("prospects/1", "prospect", "1"), ("users/99999", "user", "99999"), ("teams/abc", "team", "abc")],
)
def test_unknown_record_is_resource_not_found(api: Api, path: str, type: str, shown: str) -> None:
    reply = api.get(path)

    assert reply.status_code == 404
    assert reply.json()["errors"][0]["id"] == "resourceNotFound"
    assert reply.json()["errors"][0]["detail"] == f"Could not find '{type}' with ID '{shown}'."


@pytest.mark.parametrize(
    "path",
    [
        "",
        "types",
        "users?include=mailbox",
        "prospects?filter[q]=nor",
        "users?page[offset]=10",
        "prospects?filter[stage][name]=New",
    ],
)
def test_what_the_sources_do_not_say_is_501(api: Api, path: str) -> None:
    reply = api.get(path)

    assert reply.status_code == 501
    assert reply.json()["errors"][0]["id"] == "notInTheSandbox"


@pytest.mark.parametrize(
    "query",
    [
        "page[size]=0",
        "page[size]=1001",
        "page[size]=-1",
        "page[size]=ten",
        "page[size]=²",
        "page[number]=2",
        "page[after]=%%%",
        "page[after]=bm90IGpzb24=",
        "page[after]=eyJpZCI6MX0=",
        "sort=title",
        "sort=teams",
        "sort=",
        "filter[title]=Sales",
        "filter[locked]=perhaps",
        "filter[createdAt]=yesterday",
        "filter[createdAt]=0001-01-01T00:00:00%2B23:00..inf",
        "filter[mailbox][id]=5001",
        "filter[teams][name]=SDR",
        "filter[teams][id]=x",
        "filter[email][gte]=a",
        "fields[user]=photo",
        "nonsense=1",
        "filter=1",
        "newFilterSyntax=true&filter[email]=a",
        "newFilterSyntax=true&filter[email][between]=a",
    ],
)
def test_bad_parameters_are_400(api: Api, query: str) -> None:
    reply = api.get(f"users?{query}")

    assert reply.status_code == 400
    assert reply.json()["errors"][0]["id"] == "badActionParameters"


def test_listing_parameters_are_refused_on_a_single_record(api: Api) -> None:
    assert api.get("users/1?page[size]=2").status_code == 400


def test_detail_can_be_spelled_details(sandbox: Sandbox, api: Api) -> None:
    sandbox.settings.detail_key = "details"

    error = api.get("users/99999").json()["errors"][0]

    assert error["details"] == "Could not find 'user' with ID '99999'."
    assert "detail" not in error


def test_path_outside_api_and_oauth_is_404(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.base_url}/", timeout=10).status_code == 404
