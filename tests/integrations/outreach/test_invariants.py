"""What holds for any values and any faults: the record agrees with the wire, and a bad field hurts its record alone."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.connector import Page
from integrations.errors import IntegrationError
from integrations.interfaces import Permission
from integrations.outreach.allowed_calls import ENDPOINTS, LIST_MAILBOXES, LIST_TEAMS, LIST_USERS
from integrations.outreach.connector import OutreachConnector
from integrations.outreach.scopes import REQUESTED

shared = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=100
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

NAMES = {"teams": "relationships.teams", "users": "relationships.users", "user": "relationships.user"}
FIELDS = [
    (endpoint, NAMES.get(name, name))
    for endpoint in (LIST_USERS, LIST_TEAMS, LIST_MAILBOXES)
    for name in (*endpoint.fields_read, "id", "type", "attributes", "relationships")
]


@shared
@given(st.sampled_from(FIELDS), json_values, st.booleans())
def test_any_value_in_any_field_of_one_record_leaves_the_others_as_they_are(
    wire, sandbox, field, value, absent
):
    endpoint, name = field
    connector = OutreachConnector(wire.client, page_size=1000)
    listings: dict[str, Callable[[], Iterator[Page[Any]]]] = {
        "list_users": connector.list_people,
        "list_teams": connector.list_teams,
        "list_mailboxes": connector.list_mailboxes,
    }
    listing = listings[endpoint.name]
    [before] = listing()
    victim = before.records[3].remote_id
    sandbox.faults.clear()
    if absent:
        sandbox.faults.add("drop_field", record=victim, field=name)
    else:
        sandbox.faults.add("set_field", record=victim, field=name, value=value)

    [page] = listing()

    assert len(page.records) + len(page.unreadable) in (len(before.records), len(before.records) - 1)
    others = {record.remote_id: record for record in before.records if record.remote_id != victim}
    found = {record.remote_id: record for record in page.records}
    if name == "id":
        # The record may now call itself by another's id; whose record it is then, nobody can tell.
        others.pop(str(value), None)
    assert {key: found.get(key) for key in others} == others


KINDS = st.sampled_from(
    [
        "unauthorized",
        "missing_scope",
        "forbidden",
        "invalid",
        "retry_later",
        "bad_gateway",
        "unavailable",
        "reset",
        "lost",
        "cut",
        "truncated_json",
        "empty_page",
        "next_link",
        "redirect",
        "content_type",
    ]
)
ACTS = st.sampled_from(["people", "teams", "mailboxes", "some", "write", "prospect", "account"])


@shared
@given(
    st.lists(st.tuples(ACTS, st.none() | KINDS), max_size=5),
    st.frozensets(st.sampled_from(REQUESTED)),
    st.booleans(),
)
def test_the_record_agrees_with_what_outreach_saw_and_nothing_else_left(
    wire, sandbox, acts, switched_off, writes_allowed
):
    wire.permission = Permission(frozenset(REQUESTED), switched_off, writes_allowed)
    connector = OutreachConnector(wire.client, page_size=30)
    sandbox.requests.clear()
    wire.records.clear()
    act = {
        "people": lambda: list(connector.list_people()),
        "teams": lambda: list(connector.list_teams()),
        "mailboxes": lambda: list(connector.list_mailboxes()),
        "some": lambda: connector.read_mailboxes(["1", "3"]),
        "write": lambda: connector.write_signature("5001", "<p>Ada</p>"),
        "prospect": lambda: connector.find_prospect("nobody@acme.example"),
        "account": connector.identify_account,
    }

    for name, fault in acts:
        sandbox.faults.clear()
        if fault:
            sandbox.faults.add(fault)
        with suppress(IntegrationError):
            act[name]()

    left = [record for record in wire.records if record.outcome != "refused"]
    places = {endpoint.name: (endpoint.method, endpoint.path, endpoint.scope) for endpoint in ENDPOINTS}
    assert [(record.method, record.scope) for record in left] == [
        (places[record.endpoint][0], places[record.endpoint][2]) for record in left
    ]
    assert [(one.method, one.path) for one in sandbox.requests] == [
        (record.method, places[record.endpoint][1].replace("{id}", record.object_id)) for record in left
    ]
    for seen, record in zip(sandbox.requests, left, strict=True):
        assert record.status in (seen.status, 0)
    assert not switched_off & {record.scope for record in left}
    assert writes_allowed or {record.verb for record in left} <= {"read"}
    assert {one.method for one in sandbox.requests} <= {"GET", "PATCH"}
