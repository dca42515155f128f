"""Of everything Outreach documents only the five calls of the table leave; the rest makes no connection."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.errors import PolicyViolation, ScopeMissing
from integrations.interfaces import Permission
from integrations.outreach.allowed_calls import ENDPOINTS, LIST_USERS, WRITE_SIGNATURE, Endpoint
from integrations.outreach.client import OutreachClient
from integrations.outreach.scopes import REQUESTED

SCHEMAS = Path(__file__).parents[2] / "support/outreach_schemas"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "patch")
FORBIDDEN = st.sampled_from(
    ["/api/v2/users", "/api/v2/teams", "/api/v2/mailboxes/{id}", "/api/v2/prospects", "/api/v2/batches"]
)
BODY = {"data": {"type": "mailbox", "id": 1, "attributes": {"emailSignature": "<p>x</p>"}}}
GOOD: dict[str, dict[str, Any]] = {
    "list_users": {"query": {"fields[user]": "email", "page[size]": "1"}},
    "list_teams": {"query": {"fields[team]": "name", "page[size]": "1"}},
    "list_mailboxes": {"query": {"fields[mailbox]": "email", "page[size]": "1"}},
    "find_prospect": {
        "query": {"fields[prospect]": "title", "page[size]": "2", "filter[emails]": "ada@acme.example"}
    },
    "write_signature": {
        "path_id": "5001",
        "body": {"data": {"type": "mailbox", "id": 5001, "attributes": {"emailSignature": "<p>x</p>"}}},
    },
}
many = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "400")),
)


@pytest.fixture
def silent_wire(make_wire, serve) -> Iterator[Any]:
    """A wire to a server that keeps every byte it is sent; when the test ends, that is none."""
    server = serve()
    yield make_wire(base_url=server.base_url)
    assert server.heads == []


def forged(method: str, path: str) -> Endpoint:
    return replace(WRITE_SIGNATURE, method=method, path=path)


def documented() -> list[tuple[str, str]]:
    operations = []
    for file in sorted(SCHEMAS.glob("*.json")):
        schema = json.loads(file.read_text())
        for operation in schema["operations"]:
            method, _, action = operation.partition(" ")
            tail = {"instances": "", "create": "", "self": "/1", "update": "/1", "destroy": "/1"}.get(
                action, f"/1/actions/{action}"
            )
            operations.append((method, schema["path"] + tail))
    return operations


# ── L1: methods and paths ────────────────────────────────────────────────────────────────────────
def test_l1_no_documented_operation_leaves_unless_the_table_has_it(silent_wire):
    operations = documented()
    assert len(operations) > 30

    for documented_method, path in operations:
        for method in dict.fromkeys((documented_method, *METHODS)):
            with pytest.raises(PolicyViolation):
                silent_wire.client.send(forged(method, path), path_id="1", body=BODY)

    assert {record.outcome for record in silent_wire.records} == {"refused"}
    assert len(silent_wire.records) == sum(
        len({documented_method, *METHODS}) for documented_method, _ in operations
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_l1_no_other_method_on_a_path_of_the_table_leaves(silent_wire, endpoint):
    for method in METHODS:
        with pytest.raises(PolicyViolation):
            silent_wire.client.send(replace(endpoint, method=method), **GOOD[endpoint.name])


def _spell(*changes: Callable[[str], str]) -> st.SearchStrategy[str]:
    return st.one_of([FORBIDDEN.map(change) for change in changes])


odd_paths = st.one_of(
    FORBIDDEN,
    _spell(
        str.upper,
        str.title,
        lambda path: path.replace("/", "//"),
        lambda path: path.replace("/", "\\"),
        lambda path: path.replace("/", "%2F"),
        lambda path: path.replace("/", "%252f"),
        lambda path: path.replace("a", "%61"),
        lambda path: path.replace("a", "%c0%e1"),
        lambda path: path.replace("s", "ſ"),
        lambda path: path + "/",
        lambda path: path + "/.",
        lambda path: path + "/../mailboxes/1",
        lambda path: path + "/%2e%2e/mailboxes/1",
        lambda path: path + "/..;/mailboxes/1",
        lambda path: path + ";method=DELETE",
        lambda path: path + "?_method=DELETE",
        lambda path: path + "#x",
        lambda path: path + "\r\nX-HTTP-Method-Override: DELETE",
        lambda path: path + " HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        lambda path: path + "\x00",
        lambda path: " " + path,
        lambda path: "." + path,
        lambda path: path.removeprefix("/"),
        lambda path: "http://127.0.0.1:9" + path,
        lambda path: "https://api.outreach.io" + path,
        lambda path: "//evil.example" + path,
        lambda path: "@evil.example" + path,
        lambda path: ":9" + path,
        lambda path: ".evil.example" + path,
    ),
    st.text(max_size=30),
)


@many
@given(method=st.sampled_from(METHODS) | st.text(max_size=8), path=odd_paths)
def test_l1_no_spelling_of_a_method_or_path_leaves(silent_wire, method, path):
    with pytest.raises(PolicyViolation):
        silent_wire.client.send(forged(method, path), path_id="1", body=BODY)


@many
@given(path_id=st.text(max_size=12).filter(lambda text: not (text.isascii() and text.isdecimal())))
def test_l1_no_id_carries_a_path_of_its_own(silent_wire, path_id):
    with pytest.raises(PolicyViolation):
        silent_wire.client.send(WRITE_SIGNATURE, path_id=path_id, body=BODY)


@pytest.mark.parametrize("not_an_endpoint", [None, "GET /api/v2/users", "http://127.0.0.1:9/", object(), 7])
def test_l1_what_is_no_endpoint_at_all_does_not_leave(silent_wire, not_an_endpoint):
    with pytest.raises(PolicyViolation):
        silent_wire.client.send(not_an_endpoint)

    assert [record.outcome for record in silent_wire.records] == ["refused"]


def test_l1_no_caller_can_name_a_header_an_address_or_a_method():
    assert list(inspect.signature(OutreachClient.send).parameters) == [
        "self", "endpoint", "path_id", "query", "body", "tries",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key", ["_method", "X-HTTP-Method-Override", "method", "access_token", "include", "filter[q]"]
)
def test_l1_no_override_in_the_query_leaves(silent_wire, key):
    for endpoint in ENDPOINTS:
        call = GOOD[endpoint.name]
        with pytest.raises(PolicyViolation):
            silent_wire.client.send(endpoint, **call | {"query": {**call.get("query", {}), key: "DELETE"}})


@many
@given(key=st.text(min_size=1, max_size=20), value=st.text(min_size=1, max_size=20))
def test_l1_no_query_key_beyond_the_table_leaves(silent_wire, key, value):
    known = {
        "page[size]",
        "page[after]",
        "count",
        "sort",
        "newFilterSyntax",
        *LIST_USERS.filters,
        "fields[user]",
    }
    if key in known:
        return
    query = {"fields[user]": "email", "page[size]": "1", key: value}

    with pytest.raises(PolicyViolation):
        silent_wire.client.send(LIST_USERS, query=query)


# ── L2: bodies ───────────────────────────────────────────────────────────────────────────────────
def test_l2_none_of_the_documented_attributes_and_relationships_goes_beside_the_signature(silent_wire):
    schema = json.loads((SCHEMAS / "mailbox.json").read_text())
    names = [*schema["attributes"], *schema["relationships"]]
    assert len(names) > 50 and "smtpPassword" in names

    for name in names:
        if name == "emailSignature":
            continue
        for attributes in ({name: "x"}, {"emailSignature": "<p>x</p>", name: "x"}):
            with pytest.raises(PolicyViolation):
                silent_wire.client.send(
                    WRITE_SIGNATURE,
                    path_id="1",
                    body={"data": {"type": "mailbox", "id": 1, "attributes": attributes}},
                )
        for part in ("relationships", "links", "meta", name):
            with pytest.raises(PolicyViolation):
                silent_wire.client.send(
                    WRITE_SIGNATURE,
                    path_id="1",
                    body={"data": {**BODY["data"], part: {name: {"data": {"type": "user", "id": 1}}}}},
                )


@pytest.mark.parametrize("wrong", [{"id": 2}, {"id": "1"}, {"type": "user"}, {"type": "mailboxes"}])
def test_l2_no_other_object_than_the_address_names_is_written(silent_wire, wrong):
    with pytest.raises(PolicyViolation):
        silent_wire.client.send(WRITE_SIGNATURE, path_id="1", body={"data": {**BODY["data"], **wrong}})


def test_l2_what_leaves_is_type_id_and_signature(wire, sandbox):
    wire.client.send(WRITE_SIGNATURE, **GOOD["write_signature"])

    [seen] = sandbox.requests
    assert json.loads(seen.body) == GOOD["write_signature"]["body"]


# ── L3: scopes ───────────────────────────────────────────────────────────────────────────────────
SUBSETS = [frozenset(subset) for size in range(5) for subset in combinations(REQUESTED, size)]


@pytest.mark.parametrize("granted", SUBSETS, ids=lambda subset: "+".join(sorted(subset)) or "none")
def test_l3_a_call_leaves_exactly_when_its_scope_was_granted(wire, sandbox, granted):
    wire.permission = Permission(granted, writes_allowed=True)

    for endpoint in ENDPOINTS:
        with suppress(ScopeMissing):
            wire.client.send(endpoint, **GOOD[endpoint.name])

    left = [endpoint for endpoint in ENDPOINTS if endpoint.scope in granted]
    assert [(seen.method, seen.path) for seen in sandbox.requests] == [
        (endpoint.method, endpoint.path.replace("{id}", "5001")) for endpoint in left
    ]
    assert [(record.endpoint, record.outcome) for record in wire.records] == [
        (endpoint.name, "answered" if endpoint in left else "refused") for endpoint in ENDPOINTS
    ]


@pytest.mark.parametrize("off", SUBSETS, ids=lambda subset: "+".join(sorted(subset)) or "none")
def test_l3_a_call_leaves_exactly_when_its_scope_is_switched_on_here(wire, sandbox, off):
    wire.permission = Permission(frozenset(REQUESTED), switched_off=off, writes_allowed=True)

    for endpoint in ENDPOINTS:
        with suppress(ScopeMissing):
            wire.client.send(endpoint, **GOOD[endpoint.name])

    assert [(record.endpoint, record.outcome) for record in wire.records] == [
        (endpoint.name, "refused" if endpoint.scope in off else "answered") for endpoint in ENDPOINTS
    ]
    assert len(sandbox.requests) == sum(endpoint.scope not in off for endpoint in ENDPOINTS)


def test_l3_the_narrower_scope_opens_its_own_call_alone_and_names_it(make_wire, sandbox):
    wire = make_wire(scopes=("users.read",))
    wire.permission = Permission(frozenset({"users.read"}), writes_allowed=True)

    for endpoint in ENDPOINTS:
        with suppress(ScopeMissing):
            wire.client.send(endpoint, **GOOD[endpoint.name])

    assert [(record.endpoint, record.scope) for record in wire.records if record.outcome != "refused"] == [
        ("list_users", "users.read")
    ]
    assert [(seen.method, seen.path) for seen in sandbox.requests] == [("GET", "/api/v2/users")]
