"""Which calls the policy stops, with nothing sent: it has no way to send."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import (
    IntegrationError,
    PolicyViolation,
    ScopeMissing,
    UnexpectedReply,
    WritesNotAllowed,
)
from integrations.outreach.allowed_calls import (
    ENDPOINTS,
    FIND_PROSPECT,
    LIST_MAILBOXES,
    LIST_TEAMS,
    LIST_USERS,
    WRITE_SIGNATURE,
)
from integrations.outreach.policy import check, check_next_link, scope_used
from integrations.outreach.scopes import REQUESTED

BODY: dict[str, Any] = {"data": {"type": "mailbox", "id": 7, "attributes": {"emailSignature": "<p>Ada</p>"}}}
GOOD: dict[str, dict[str, Any]] = {
    "list_users": {"query": {"fields[user]": "email,title", "page[size]": "50"}},
    "list_teams": {"query": {"fields[team]": "name,users", "page[size]": "50", "count": "false"}},
    "list_mailboxes": {"query": {"fields[mailbox]": "email", "page[size]": "1", "filter[userId]": "1,2"}},
    "find_prospect": {
        "query": {"fields[prospect]": "title", "page[size]": "2", "filter[emails][]": "ada@acme.example"}
    },
    "write_signature": {"path_id": "7", "body": BODY},
}


def ask(endpoint, *, granted=frozenset(REQUESTED), switched_off=frozenset(), writes_allowed=True, **call):
    given_call = {"path_id": None, "query": {}, "body": None, **GOOD[endpoint.name], **call}
    check(endpoint, granted=granted, switched_off=switched_off, writes_allowed=writes_allowed, **given_call)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_a_call_of_the_table_passes(endpoint):
    ask(endpoint)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
@pytest.mark.parametrize(
    "granted", [frozenset(s) for size in range(5) for s in combinations(REQUESTED, size)]
)
def test_a_call_passes_exactly_when_its_scope_was_granted(endpoint, granted):
    if endpoint.scope in granted:
        ask(endpoint, granted=granted)
    else:
        with pytest.raises(ScopeMissing) as caught:
            ask(endpoint, granted=granted)
        assert caught.value.scope == endpoint.scope


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_a_scope_switched_off_here_stops_its_calls_and_no_others(endpoint):
    for scope in REQUESTED:
        if scope == endpoint.scope:
            with pytest.raises(ScopeMissing, match="switched off here"):
                ask(endpoint, switched_off={scope})
        else:
            ask(endpoint, switched_off={scope})


@pytest.mark.parametrize(
    ("endpoint", "scope"),
    [(endpoint, scope) for endpoint in ENDPOINTS for scope in endpoint.narrower_scopes],
    ids=lambda one: getattr(one, "name", one),
)
@pytest.mark.parametrize("widens", [False, True])
def test_a_narrower_scope_switched_off_stops_the_call_it_opens(endpoint, scope, widens):
    granted = frozenset({scope, endpoint.scope} if widens else {scope})
    ask(endpoint, granted=granted)
    ask(LIST_TEAMS, switched_off={scope})

    with pytest.raises(ScopeMissing, match=f"{scope} is switched off here") as caught:
        ask(endpoint, granted=granted, switched_off={scope})
    assert caught.value.scope == scope


def test_a_call_leaves_under_the_narrowest_permission_that_opens_it():
    assert scope_used(LIST_USERS, frozenset({"users.all", "users.read", "teams.read"})) == "users.read"
    assert scope_used(LIST_USERS, frozenset({"users.all", "teams.read"})) == "users.all"
    assert scope_used(LIST_USERS, frozenset({"teams.read"})) == "users.all"


def test_an_unknown_grant_opens_reads_and_no_write():
    ask(LIST_USERS, granted=None)

    with pytest.raises(ScopeMissing):
        ask(WRITE_SIGNATURE, granted=None)


def test_dry_run_stops_writes_and_no_reads():
    ask(LIST_MAILBOXES, writes_allowed=False)

    with pytest.raises(WritesNotAllowed):
        ask(WRITE_SIGNATURE, writes_allowed=False)


def test_an_endpoint_that_merely_equals_one_of_the_table_is_not_in_it():
    twin = replace(LIST_USERS)
    assert twin == LIST_USERS

    with pytest.raises(PolicyViolation):
        ask(twin)


def test_a_violation_is_no_integration_error_so_that_no_handler_softens_it():
    assert not issubclass(PolicyViolation, IntegrationError)


@pytest.mark.parametrize(
    "path_id",
    [
        "",
        "0",
        "07",
        "-7",
        "7.0",
        "7/",
        "../7",
        "7/testSend",
        "7?x=1",
        "7#",
        "7\n",
        "٧",
        "%37",
        "7" * 20,
        7,
        None,
    ],
)
def test_an_id_is_digits_and_nothing_else(path_id):
    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, path_id=path_id)


@pytest.mark.parametrize("call", [{"path_id": "7"}, {"body": BODY}, {"body": {}}, {"path_id": ""}])
def test_a_read_takes_neither_id_nor_body(call):
    with pytest.raises(PolicyViolation):
        ask(LIST_USERS, **call)


def test_a_write_takes_no_query():
    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, query={"include": "user"})


@pytest.mark.parametrize(
    "change",
    [
        {"fields[user]": ""},
        {"fields[user]": "email,phoneType"},
        {"fields[user]": "email,,title"},
        {"fields[user]": "*"},
        {"fields[prospect]": "title"},
        {"include": "mailboxes"},
        {"page[size]": "0"},
        {"page[size]": "1001"},
        {"page[size]": "all"},
        {"page[after]": ""},
        {"page[offset]": "10"},
        {"count": "true"},
        {"sort": "-email"},
        {"newFilterSyntax": "false"},
        {"filter[email]": "ada@acme.example"},
        {"filter[userId]": "1"},
        {"_method": "DELETE"},
        {"page[size]": 50},
    ],
    ids=str,
)
def test_a_read_asks_for_named_fields_and_known_keys_only(change):
    query = {**GOOD["list_users"]["query"], **change}

    with pytest.raises(PolicyViolation):
        ask(LIST_USERS, query=query)


@pytest.mark.parametrize(
    "more",
    [
        {"page[size]": "1000"},
        {"page[after]": "c+1="},
        {"count": "false"},
        {"sort": "createdAt"},
        {"newFilterSyntax": "true"},
    ],
    ids=str,
)
def test_a_read_may_be_as_large_as_a_page_and_take_each_known_key(more):
    ask(LIST_USERS, query={**GOOD["list_users"]["query"], **more})


@pytest.mark.parametrize("missing", ["fields[user]", "page[size]"])
def test_a_read_without_its_fields_or_its_page_size_is_a_violation(missing):
    query = {key: value for key, value in GOOD["list_users"]["query"].items() if key != missing}

    with pytest.raises(PolicyViolation):
        ask(LIST_USERS, query=query)


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"filter[emails]": "ada@acme.example,bea@acme.example"},
        {"filter[emails]": "a@acme.example..z@acme.example"},
        {"filter[emails]": "neginf..inf"},
        {"filter[emails]": "__notnull__"},
        {"filter[emails]": "ada @acme.example"},
        {"filter[emails]": "ada@acme.example", "filter[emails][]": "bea@acme.example"},
        {"filter[q]": "ada"},
    ],
    ids=str,
)
def test_prospects_are_never_listed_only_one_address_looked_up(filters):
    with pytest.raises(PolicyViolation):
        ask(FIND_PROSPECT, query={"fields[prospect]": "title", "page[size]": "2", **filters})


class _Text(str):
    __slots__ = ()


class _Dict(dict):
    pass


def body(**changes):
    return {"data": {**BODY["data"], **changes}}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "x",
        {},
        {"data": None},
        {"data": [BODY["data"]]},
        {**BODY, "meta": {}},
        {**BODY, "included": []},
        _Dict(BODY),
        body(id=8),
        body(id="7"),
        body(id=True),
        body(id=7.0),
        body(type="user"),
        body(relationships={"user": {"data": {"type": "user", "id": 1}}}),
        body(links={}),
        body(attributes={}),
        body(attributes=None),
        body(attributes={"emailSignature": None}),
        body(attributes={"emailSignature": 5}),
        body(attributes={"emailSignature": ["<p>"]}),
        body(attributes={"emailSignature": "lone \ud800 surrogate"}),
        body(attributes={"emailSignature": _Text("<p>")}),
        body(attributes={"emailsignature": "<p>"}),
        {"data": {"type": "mailbox", "attributes": {"emailSignature": "<p>"}}},
    ],
    ids=repr,
)
def test_a_body_is_type_id_and_signature_and_nothing_else(wrong):
    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, body=wrong)


def test_true_is_not_the_id_one():
    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, path_id="1", body=body(id=True))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(min_size=1, max_size=12), json_values, st.sampled_from(["top", "data", "attributes"]))
def test_one_key_more_anywhere_in_the_body_is_a_violation(key, value, where):
    top: dict[str, Any] = {"data": {"type": "mailbox", "id": 7, "attributes": {"emailSignature": "<p>"}}}
    place = {"top": top, "data": top["data"], "attributes": top["data"]["attributes"]}[where]
    if key in place:
        return
    place[key] = value

    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, body=top)


@given(json_values)
def test_no_arbitrary_document_is_a_body(value):
    with pytest.raises(PolicyViolation):
        ask(WRITE_SIGNATURE, body=value)


BASE = "https://api.outreach.io"
LINK = BASE + "/api/v2/users?fields%5Buser%5D=email&page%5Bafter%5D=c%2B1%3D&page%5Bsize%5D=50"


def test_a_next_link_to_the_same_place_gives_its_cursor():
    assert check_next_link(LINK, base_url=BASE, path=LIST_USERS.path) == "c+1="


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_a_default_port_that_is_spelled_out_is_the_same_place(scheme, port):
    link = LINK.replace("https://api.outreach.io", f"{scheme}://API.outreach.io:{port}")

    base_url = BASE.replace("https", scheme)
    assert check_next_link(link, base_url=base_url, path=LIST_USERS.path) == "c+1="
    with pytest.raises(UnexpectedReply):
        check_next_link(link.replace(f":{port}", ":81"), base_url=base_url, path=LIST_USERS.path)


def test_a_base_address_may_end_in_a_slash_and_a_link_be_as_long_as_it_may():
    longest = LINK + "&x=" + "y" * (16_384 - len(LINK) - len("&x="))

    assert check_next_link(longest, base_url=BASE + "/", path=LIST_USERS.path) == "c+1="


@pytest.mark.parametrize(
    "link",
    [
        LINK.replace("https:", "http:"),
        LINK.replace("https://api.outreach.io", "http://api.outreach.io:443"),
        LINK.replace("api.outreach.io", "api.outreach.io.evil.example"),
        LINK.replace("api.outreach.io", "evil.example"),
        LINK.replace("api.outreach.io", "evilapi.outreach.io"),
        LINK.replace("api.outreach.io", "x.api.outreach.io"),
        LINK.replace("api.outreach.io", "evil.example.api.outreach.io"),
        LINK.replace("api.outreach.io", "evil-api.outreach.io"),
        LINK.replace("api.outreach.io", "outreach.io"),
        LINK.replace("api.outreach.io", "api.outreach.i"),
        LINK.replace("api.outreach.io", "pi.outreach.io"),
        LINK.replace("https:", "xhttps:"),
        LINK.replace("api.outreach.io", "api.outreach.io:4433"),
        LINK.replace("api.outreach.io", "api.outreach.io:44"),
        LINK.replace("api.outreach.io", "api.outreach.io@evil.example"),
        LINK.replace("api.outreach.io", "user:pass@api.outreach.io"),
        LINK.replace("api.outreach.io", "@api.outreach.io"),
        LINK.replace("api.outreach.io", "api.outreach.io:8443"),
        LINK.replace("api.outreach.io", "127.0.0.1"),
        LINK.replace("api.outreach.io", "api.outreach.io."),
        LINK.replace("api.outreach.io", "api。outreach。io"),
        LINK.replace("api.outreach.io/", "api.outreach.io\\@evil.example/"),
        LINK.replace("api.outreach.io", "[::1"),
        LINK.replace("api.outreach.io", "api.outreach.io:99999"),
        LINK.replace("/api/v2/users", "/api/v2/prospects"),
        LINK.replace("/api/v2/users", "/api/v2/users/"),
        LINK.replace("/api/v2/users", "/x/api/v2/users"),
        LINK.replace("/api/v2/users", "/api/v2/users2"),
        LINK.replace("/api/v2/users", "/api/v2/user"),
        LINK.replace("/api/v2/users", "/api/v2/USERS"),
        LINK.replace("/api/v2/users", "/api/v2//users"),
        LINK.replace("/api/v2/users", "/api/v2/x/../users"),
        LINK.replace("/api/v2/users", "/api/v2/%75sers"),
        LINK.replace("https://api.outreach.io", ""),
        LINK.replace("https:", ""),
        LINK + "#here",
        LINK + "\nHost: evil.example",
        LINK + "&page[after]=two",
        LINK.replace("page%5Bafter%5D=c%2B1%3D", "page%5Bafter%5D="),
        LINK.replace("page%5Bafter%5D", "page%5Boffset%5D"),
        LINK + "&page[after]=",
        LINK + "&x=\\y",
        LINK + "&x=" + "y" * (16_384 - len(LINK) - len("&x=") + 1),
        LINK + "".join(f"&x{number}=y" for number in range(98)),
        "file:///etc/passwd",
        "",
        " ",
        {},
        7,
        True,
    ],
    ids=lambda link: str(link)[:90],
)
def test_a_next_link_to_anywhere_else_is_not_followed(link):
    with pytest.raises(UnexpectedReply):
        check_next_link(link, base_url=BASE, path=LIST_USERS.path)


@given(st.text(max_size=60))
def test_no_text_makes_the_link_check_fall_over(text):
    with pytest.raises(UnexpectedReply):
        check_next_link(BASE + text, base_url=BASE, path=LIST_TEAMS.path + "/nowhere")
