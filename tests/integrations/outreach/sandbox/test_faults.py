"""Scripted trouble, as a client meets it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.http import Request
from tests.support.sandbox_clients import Api, Browser


@pytest.mark.parametrize(
    ("kind", "options", "status", "body"),
    [
        ("unauthorized", {}, 401, "The JWT token could not be decoded."),
        ("unauthorized", {"body": "text"}, 401, "Invalid access token"),
        ("missing_scope", {"scope": "users.read"}, 403, "required scope 'users.read'"),
        ("forbidden", {}, 403, "unauthorizedRequest"),
        ("not_found", {"type": "user", "id": "1"}, 404, "Could not find 'user' with ID '1'."),
        ("invalid", {}, 422, "/data/attributes/emailSignature"),
        ("rate_limited", {}, 429, "rateLimitExceeded"),
        ("retry_later", {}, 429, "Retry later\n"),
        ("status", {"status": 500, "body": "<h1>We're sorry</h1>"}, 500, "<h1>We're sorry</h1>"),
        ("status", {"status": 409, "headers": {"X-Why": "conflict"}}, 409, ""),
        ("bad_gateway", {}, 502, "502 Bad Gateway"),
        ("unavailable", {}, 503, "scheduledServerMaintenance"),
        ("redirect", {"location": "http://127.0.0.1:9/"}, 302, ""),
    ],
)
def test_answer_in_place_of_the_real_one(
    sandbox: Sandbox, api: Api, kind: str, options: dict[str, Any], status: int, body: str
) -> None:
    fault = sandbox.faults.add(kind, path="/api/v2/users/1", **options)

    spoiled, bystander, later = api.get("users/1"), api.get("users/2"), api.get("users/1")

    assert spoiled.status_code == status
    assert body in spoiled.text
    assert (bystander.status_code, later.status_code) == (200, 200)
    assert (fault.seen, fault.hits) == (2, 1)


@pytest.mark.parametrize(
    ("spelling", "pattern"),
    [
        ("delta", "30"),
        ("epoch", r"\d{10}"),
        ("http-date", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
        ("iso", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
        ("past", r"\d{10}"),
        ("negative", "-30"),
        ("year-9999", r"9999-12-31T23:59:59\.000Z"),
        ("garbage", "soon, .* or later"),
        ("empty", ""),
    ],
)
def test_retry_after_comes_in_every_spelling(sandbox: Sandbox, api: Api, spelling: str, pattern: str) -> None:
    sandbox.faults.add("rate_limited", retry_after=spelling)

    assert re.fullmatch(pattern, api.get("users").headers["Retry-After"])


def test_retry_after_can_be_absent(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("rate_limited", retry_after="absent")

    assert "Retry-After" not in api.get("users").headers


def test_maintenance_names_an_iso_time(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("unavailable", seconds=90)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", api.get("users").headers["Retry-After"])


def test_fault_chooses_by_method_path_query_and_count(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("forbidden", method="PATCH", path="/api/v2/mailboxes/*", nth=2, times=2)
    sandbox.faults.add("bad_gateway", path="/api/v2/users", query="page[size]=7")

    writes = [
        api.patch("mailbox", f"mailboxes/{number}", emailSignature="x").status_code
        for number in (5001, 5002, 5003, 5005)
    ]

    assert writes == [200, 403, 403, 200]
    assert api.get("mailboxes/5001").status_code == 200
    assert api.get("users?page[size]=8").status_code == 200
    assert api.get("users?page[size]=7").status_code == 502


def test_fault_without_end_lasts_until_cleared(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("bad_gateway", times=None)
    assert [api.get("users/1").status_code for _ in range(4)] == [502] * 4

    sandbox.faults.clear()

    assert api.get("users/1").status_code == 200


def test_probability_is_repeatable_by_seed(sandbox: Sandbox, api: Api) -> None:
    def run() -> list[int]:
        sandbox.faults.clear()
        sandbox.faults.add("bad_gateway", times=None, probability=0.5, seed=3)
        return [api.get("users/1").status_code for _ in range(20)]

    first = run()

    assert run() == first
    assert set(first) == {200, 502}


def test_unknown_kind_or_option_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="no fault called 'explode'"):
        sandbox.faults.add("explode")
    with pytest.raises(ValueError, match="slow takes"):
        sandbox.faults.add("slow", minutes=1)
    with pytest.raises(ValueError, match="retry_after"):
        sandbox.faults.add("rate_limited", retry_after="whenever")
    assert sandbox.faults.rules == []


@pytest.mark.parametrize(("kind", "is_applied"), [("reset", False), ("lost", True)])
def test_connection_is_reset_before_or_after_the_write(
    sandbox: Sandbox, api: Api, kind: str, is_applied: bool
) -> None:
    sandbox.faults.add(kind, method="PATCH")

    with pytest.raises(requests.ConnectionError):
        api.patch("mailbox", "mailboxes/5001", emailSignature="<p>new</p>")

    stored = sandbox.directory.mailboxes[5001].email_signature
    assert (stored == "<p>new</p>") is is_applied
    assert sandbox.requests[-1].status is None
    assert sandbox.requests[-1].fault == kind


@pytest.mark.parametrize(("kind", "options", "received"), [("reset", {}, 0), ("cut", {"bytes": 40}, 40)])
def test_reset_is_a_reset_and_no_orderly_end(
    sandbox: Sandbox, kind: str, options: dict[str, Any], received: int
) -> None:
    sandbox.faults.add(kind, **options)
    address = urlsplit(sandbox.base_url)

    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(b"GET /api/v2/users HTTP/1.1\r\nHost: x\r\n\r\n")
        head = b""
        with pytest.raises(ConnectionResetError):
            while part := connection.recv(100):
                head += part

    assert len(head) == received


def test_response_lost_after_a_refresh_spends_the_token(sandbox: Sandbox, browser: Browser) -> None:
    token = sandbox.oauth.issue_tokens()["refresh_token"]
    sandbox.settings.throttle_seconds = 0
    sandbox.faults.add("lost", path="/oauth/token")

    with pytest.raises(requests.ConnectionError):
        browser.refresh(token)

    assert browser.refresh(token).json()["error"] == "invalid_grant"


def test_cut_breaks_off_inside_the_body(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("cut", bytes=600)

    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api.get("users")


def test_slow_reply_waits(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("slow", seconds=0.2)

    started = time.monotonic()
    assert api.get("users/1").status_code == 200

    assert time.monotonic() - started >= 0.2


def test_drip_sends_a_few_bytes_at_a_time(sandbox: Sandbox, api: Api) -> None:
    whole = api.get("teams/101?fields[team]=name").content
    sandbox.faults.add("drip", bytes=40, seconds=0.02)

    started = time.monotonic()
    dripped = api.get("teams/101?fields[team]=name")

    assert dripped.content == whole
    assert time.monotonic() - started >= 0.1


def test_truncated_json_has_the_right_length_and_no_end(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("truncated_json")

    reply = api.get("users")

    assert int(reply.headers["Content-Length"]) == len(reply.content)
    with pytest.raises(requests.JSONDecodeError):
        reply.json()


def test_body_content_type_and_headers_can_be_anything(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("body", value="\ufeff[NaN]")
    sandbox.faults.add("content_type", value="text/html")
    sandbox.faults.add("headers", values={"X-RateLimit-Remaining": "lots", "x-ratelimit-reset": None})

    reply = api.get("users")

    assert reply.content == "\ufeff[NaN]".encode()
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.headers["X-RateLimit-Remaining"] == "lots"
    assert "X-RateLimit-Reset" not in reply.headers


def test_huge_body_is_the_same_document(sandbox: Sandbox, api: Api) -> None:
    small = api.get("users/1").json()
    sandbox.faults.add("huge", bytes=3_000_000)

    huge = api.get("users/1")

    assert len(huge.content) == 3_000_000
    assert huge.json() == small


@pytest.mark.parametrize(
    ("to", "host"),
    [
        ("other-host", "collector.example"),
        ("userinfo", "collector.example"),
        ("loopback", "localhost"),
        ("https", "127.0.0.1"),
        ("other-path", "127.0.0.1"),
        ("first", "127.0.0.1"),
        ("http://[::1]/", "::1"),
    ],
)
def test_next_link_points_elsewhere(sandbox: Sandbox, api: Api, to: str, host: str) -> None:
    honest = api.get("users?page[size]=10").json()["links"]["next"]
    sandbox.faults.add("next_link", to=to)

    crooked = api.get("users?page[size]=10").json()["links"]["next"]

    assert crooked != honest
    assert urlsplit(crooked).hostname == host


def test_next_link_can_point_at_itself(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("next_link", to="itself")

    reply = api.get("users?page[size]=10")

    assert reply.json()["links"]["next"] == reply.request.url


def test_shuffled_page_has_the_same_records(sandbox: Sandbox, api: Api) -> None:
    ordered = [record["id"] for record in api.get("users").json()["data"]]
    sandbox.faults.add("shuffle")

    shuffled = [record["id"] for record in api.get("users").json()["data"]]

    assert shuffled != ordered
    assert sorted(shuffled) == ordered


def test_duplicated_page_repeats_the_one_before(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("duplicate_page", path="/api/v2/teams", times=None, nth=2)
    sandbox.faults.add("duplicate_page", path="/api/v2/users", times=None)

    assert len(api.ids("users", {"page[size]": 30})) == 30 + 30 + 60
    assert sorted(set(api.ids("users", {"page[size]": 30}))) == list(range(1, 61))


def test_empty_page_still_has_a_next_one(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("empty_page", nth=2)

    assert api.ids("users", {"page[size]": 20}) == [*range(1, 21), *range(41, 61)]


def test_collection_can_be_empty_of_a_sudden(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("empty_collection", path="/api/v2/mailboxes")

    assert api.get("mailboxes").json() == {"data": []}
    assert len(api.get("users").json()["data"]) == 50


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("email", None, lambda record: record["attributes"]["email"]),
        ("title", 12, lambda record: record["attributes"]["title"]),
        ("title", "x" * 70_000, lambda record: record["attributes"]["title"]),
        ("id", "3", lambda record: record["id"]),
        ("attributes", [], lambda record: record["attributes"]),
        ("relationships.teams", {"data": "none"}, lambda record: record["relationships"]["teams"]),
    ],
)
def test_field_of_one_record_is_replaced(
    sandbox: Sandbox, api: Api, field: str, value: object, read: Callable[[Any], object]
) -> None:
    honest = api.get("users").json()["data"]
    sandbox.faults.add("set_field", record=3, field=field, value=value)

    spoiled = api.get("users").json()["data"]

    assert read(spoiled[2]) == value
    assert spoiled[:2] + spoiled[3:] == honest[:2] + honest[3:]


def test_field_is_dropped_from_one_record_or_all(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("drop_field", record=3, field="email")
    one = [record["id"] for record in api.get("users").json()["data"] if "email" not in record["attributes"]]
    sandbox.faults.add("drop_field", field="id")
    every = api.get("users").json()["data"]

    assert one == [3]
    assert not any("id" in record for record in every)


@pytest.mark.parametrize("value", [None, -1, "soon", 1])
def test_token_response_can_be_odd(sandbox: Sandbox, browser: Browser, value: object) -> None:
    sandbox.faults.add("set_key", path="/oauth/token", key="expires_in", value=value)
    sandbox.faults.add("drop_key", path="/oauth/token", key="refresh_token")

    token = browser.refresh(sandbox.oauth.issue_tokens()["refresh_token"]).json()

    assert token["expires_in"] == value
    assert "refresh_token" not in token


def test_stopped_sandbox_refuses_connections_and_returns_where_it_was(sandbox: Sandbox, api: Api) -> None:
    address = urlsplit(sandbox.base_url)
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=2)
    with pytest.raises(requests.ConnectionError):
        api.get("users/1")

    sandbox.start()

    assert api.get("users/1").status_code == 200


def test_every_fault_is_told_to_the_log(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add("shuffle")
    sandbox.faults.add("slow", seconds=0)

    api.get("users")

    assert sandbox.requests[-1].fault == "shuffle, slow"
    assert json.loads(json.dumps(sandbox.requests[-1].as_dict()))["status"] == 200


def test_watcher_changes_the_company_between_two_pages(sandbox: Sandbox, api: Api) -> None:
    def remove_once(request: Request) -> None:
        if "after" in request.query and 45 in sandbox.directory.users:
            sandbox.directory.remove_user(45)

    sandbox.watchers.append(remove_once)

    assert api.ids("users", {"page[size]": 30}) == [number for number in range(1, 61) if number != 45]
