"""Of everything Outreach documents only the five calls of the table leave; the rest makes no connection."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.errors import PolicyViolation
from integrations.outreach.endpoints import ENDPOINTS, LIST_USERS, WRITE_SIGNATURE, Endpoint

SCHEMAS = Path(__file__).parents[4] / "shared" / "outreach-schemas"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "patch")
FORBIDDEN = st.sampled_from(
    ["/api/v2/users", "/api/v2/teams", "/api/v2/mailboxes/{id}", "/api/v2/prospects", "/api/v2/batches"]
)
BODY = {"data": {"type": "mailbox", "id": 1, "attributes": {"emailSignature": "<p>x</p>"}}}


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


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="Outreach's published schemas are not beside the checkout")
def test_no_documented_operation_leaves_unless_the_table_has_it(wire, sandbox):
    operations = documented()
    assert len(operations) > 30

    for method, path in operations:
        with pytest.raises(PolicyViolation):
            wire.client.send(forged(method, path), path_id="1", body=BODY)

    assert list(sandbox.requests) == []
    assert {record.outcome for record in wire.records} == {"refused"}
    assert len(wire.records) == len(operations)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_no_other_method_on_a_path_of_the_table_leaves(wire, sandbox, endpoint, method):
    with pytest.raises(PolicyViolation):
        wire.client.send(replace(endpoint, method=method))

    assert list(sandbox.requests) == []


odd_paths = st.one_of(
    FORBIDDEN,
    FORBIDDEN.map(str.upper),
    FORBIDDEN.map(lambda path: path.replace("/", "//")),
    FORBIDDEN.map(lambda path: path + "/../mailboxes/1"),
    FORBIDDEN.map(lambda path: path + ";method=DELETE"),
    FORBIDDEN.map(lambda path: path.replace("a", "%61")),
    FORBIDDEN.map(lambda path: "http://127.0.0.1:9" + path),
    FORBIDDEN.map(lambda path: "@evil.example" + path),
    st.text(max_size=30),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(method=st.sampled_from(METHODS) | st.text(max_size=8), path=odd_paths)
def test_no_spelling_of_a_method_or_path_leaves(wire, sandbox, method, path):
    with pytest.raises(PolicyViolation):
        wire.client.send(forged(method, path), path_id="1", body=BODY)

    assert list(sandbox.requests) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path_id=st.text(max_size=12).filter(lambda text: not (text.isascii() and text.isdecimal())))
def test_no_id_carries_a_path_of_its_own(wire, sandbox, path_id):
    with pytest.raises(PolicyViolation):
        wire.client.send(WRITE_SIGNATURE, path_id=path_id, body=BODY)

    assert list(sandbox.requests) == []


@pytest.mark.parametrize("not_an_endpoint", [None, "GET /api/v2/users", "http://127.0.0.1:9/", object(), 7])
def test_what_is_no_endpoint_at_all_does_not_leave(wire, sandbox, not_an_endpoint):
    with pytest.raises(PolicyViolation):
        wire.client.send(not_an_endpoint)

    assert list(sandbox.requests) == []
    assert [record.outcome for record in wire.records] == ["refused"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=st.text(min_size=1, max_size=20), value=st.text(min_size=1, max_size=20))
def test_no_query_key_beyond_the_table_leaves(wire, sandbox, key, value):
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
        wire.client.send(LIST_USERS, query=query)

    assert list(sandbox.requests) == []
