"""The OAuth round trip: whoever comes back with anything but their own fresh answer connects nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import re
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import time_machine
from django.test import Client
from django.urls import reverse

from integrations.models import Connection, ConnectionState, LedgerEntry
from integrations.outreach.scopes import REQUESTED, features_lost
from portal.models import Domain, Role, User
from tests.installation import wait_until

from .conftest import RoundTrip, change_query, get_acts, get_values, words_of

NOT_YOURS = "This answer from Outreach does not belong to anything you started here."
UNTOUCHED = "The connection you had before is untouched."
NOTHING_STORED = "Nothing was stored, and nothing in Outreach was changed."


def token_calls(sandbox):
    return sandbox.requests.to("/oauth/token")


@pytest.fixture(autouse=True)
def unchanged_bystander(bystander):
    """Whatever happens to one domain, the other's connection stays as it is to the byte."""
    before = get_values(bystander)
    yield
    assert get_values(bystander) == before


# ── the way that works ───────────────────────────────────────────────────────────────────────────


def test_consent_to_everything_connects_and_calls_outreach_twice(trip, sandbox, domain, owner):
    response = trip.walk()

    assert (response.status_code, response["Location"]) == (
        302,
        reverse("integrations:outreach", args=[domain.name]),
    )
    found = Connection.objects.get(domain=domain)
    assert (found.state, found.scopes_granted, found.scopes_known, found.is_limited) == (
        ConnectionState.ACTIVE,
        list(REQUESTED),
        True,
        False,
    )
    assert (found.authorised_by, found.authorised_by_label, found.token_version) == (owner, owner.email, 1)
    assert [(r.method, r.path, r.status) for r in sandbox.requests if r.path != "/oauth/authorize"] == [
        ("POST", "/oauth/token", 200),
        ("GET", "/api/v2/users", 200),
    ]
    assert get_acts(domain) == ["connected"]


def test_stored_tokens_are_sealed_to_their_row(trip, sandbox, domain):
    trip.walk()

    found = Connection.objects.get(domain=domain)
    stored = found.access_sealed + found.refresh_sealed
    assert found.access_sealed and found.refresh_sealed
    assert "sandbox-at" not in stored and "sandbox-rt" not in stored


# ── O1, O2: the state ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "changes", [{"state": None}, {"state": ""}, {"state": "x" * 43}, {"state": "\x00"}, {"state": "é" * 43}]
)
def test_o1_an_answer_without_its_state_is_refused_before_any_call(trip, sandbox, domain, changes):
    address = trip.decide(trip.leave())
    sandbox.requests.clear()

    response = trip.come_back(change_query(address, **changes))

    assert response.status_code == 400
    assert NOT_YOURS in words_of(response)
    assert sandbox.requests == []
    assert not domain.connections.exists()


def test_o1_an_altered_state_is_refused_and_the_true_one_still_works(trip, domain):
    address = trip.decide(trip.leave())
    state = parse_qs(urlsplit(address).query)["state"][0]

    altered = trip.come_back(change_query(address, state=state[:-1] + ("a" if state[-1] != "a" else "b")))
    response = trip.come_back(address)

    assert (altered.status_code, response.status_code) == (400, 302)
    assert domain.connections.count() == 1


def test_o1_a_state_given_twice_is_refused(trip, sandbox, domain):
    address = trip.decide(trip.leave())

    response = trip.come_back(address + "&state=other")

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o1_a_state_works_once(trip, sandbox, domain):
    address = trip.decide(trip.leave())
    trip.come_back(address)
    before = get_values(Connection.objects.get(domain=domain))

    again = trip.come_back(address)

    assert again.status_code == 400
    assert UNTOUCHED not in words_of(again)  # the page does not even say whose domain it would have been
    assert len(token_calls(sandbox)) == 1
    assert get_values(Connection.objects.get(domain=domain)) == before


def test_o1_a_state_dies_after_ten_minutes(trip, sandbox, domain):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        address = trip.leave()
        state = parse_qs(urlsplit(address).query)["state"][0]
    with time_machine.travel("2026-03-02T10:10:01Z", tick=False):
        response = trip.come_back(f"{reverse('outreach_callback')}?code=sandbox-code&state={state}")

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o1_a_state_holds_at_least_256_bits_and_never_comes_twice(trip):
    states = {parse_qs(urlsplit(trip.leave()).query)["state"][0] for _ in range(8)}

    assert len(states) == 8
    assert all(re.fullmatch(r"[A-Za-z0-9]{43,}", state) for state in states)


def test_o1_o2_an_answer_brought_by_another_session_of_the_same_person_is_refused(
    trip, sandbox, domain, owner
):
    address = trip.decide(trip.leave())
    other_browser = Client()
    other_browser.force_login(owner)

    response = trip.come_back(address, client=other_browser)

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o2_a_victim_cannot_be_made_to_bring_the_attackers_code(trip, sandbox, domain, make_member):
    victim = Client()
    victim.force_login(make_member(domain, Role.ADMIN))
    victims = RoundTrip(victim, sandbox, domain)
    victims_state = parse_qs(urlsplit(victims.leave()).query)["state"][0]
    attackers = trip.decide(trip.leave())
    sandbox.settings.pkce = "enforce"

    crossed = victims.come_back(attackers)
    stolen_code = victims.come_back(change_query(attackers, state=victims_state))

    assert (crossed.status_code, stolen_code.status_code) == (400, 502)
    assert "does not accept" in words_of(stolen_code) or "did not accept the code" in words_of(stolen_code)
    assert not domain.connections.exists()


def test_o1_an_answer_after_logging_out_is_refused(trip, sandbox, domain):
    address = trip.decide(trip.leave())
    trip.client.post(reverse("account_logout"))

    response = trip.come_back(address)

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o1_an_answer_after_somebody_else_logged_in_here_is_refused(trip, sandbox, domain, make_member):
    address = trip.decide(trip.leave())
    trip.client.force_login(make_member(domain, Role.ADMIN))

    response = trip.come_back(address)

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_somebody_who_lost_the_role_on_the_way_connects_nothing(trip, sandbox, domain, owner):
    address = trip.decide(trip.leave())
    owner.memberships.update(role=Role.EDITOR)

    response = trip.come_back(address)

    assert response.status_code == 403
    assert "You may not connect this domain any more." in words_of(response)
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


# ── O3: duplicates and issuers ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "tail",
    [
        "&code=other",
        "&iss=https://evil.example",
        "&iss=",
        "&iss={base}.evil.example",
        "&iss={base}&iss=https://evil.example",
        "&iss=https://evil.example&iss={base}",
    ],
)
def test_o3_a_second_code_or_another_issuer_is_refused(trip, sandbox, domain, tail):
    address = trip.decide(trip.leave())

    response = trip.come_back(address + tail.format(base=sandbox.base_url))

    assert response.status_code == 400
    assert NOTHING_STORED in words_of(response)
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o3_the_configured_issuer_is_accepted(trip, sandbox, domain):
    address = trip.decide(trip.leave())

    response = trip.come_back(f"{address}&iss={sandbox.base_url}")

    assert response.status_code == 302
    assert domain.connections.count() == 1


@pytest.mark.parametrize("code", [None, "", "wrong"])
def test_o3_a_missing_or_wrong_code_connects_nothing(trip, domain, code):
    address = trip.decide(trip.leave())

    response = trip.come_back(change_query(address, code=code))

    assert response.status_code == (502 if code else 400)
    assert NOTHING_STORED in words_of(response)
    assert not domain.connections.exists()


# ── PKCE, O4, and what a query may not change ────────────────────────────────────────────────────


def test_pkce_is_sent_with_s256_and_proved_at_the_exchange(trip, sandbox, domain):
    sandbox.settings.pkce = "enforce"

    address = trip.leave()
    asked = parse_qs(urlsplit(address).query)
    response = trip.come_back(trip.decide(address))

    assert asked["code_challenge_method"] == ["S256"]
    assert len(base64.urlsafe_b64decode(asked["code_challenge"][0] + "=")) == hashlib.sha256().digest_size
    assert response.status_code == 302
    assert domain.connections.count() == 1
    assert "code_verifier" in json.loads(token_calls(sandbox)[0].body)


def test_pkce_is_new_for_each_attempt(trip):
    challenges = {parse_qs(urlsplit(trip.leave()).query)["code_challenge"][0] for _ in range(3)}

    assert len(challenges) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_HOST": "evil.example"},
        {"HTTP_X_FORWARDED_HOST": "evil.example"},
        {"HTTP_HOST": "evil.example:8000", "HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_FORWARDED": "host=evil.example;proto=https"},
    ],
)
def test_o4_the_redirect_uri_is_the_configured_one_in_both_legs(trip, sandbox, settings, domain, headers):
    expected = settings.PUBLIC_URL + reverse("outreach_callback")

    address = trip.leave(**headers)
    response = trip.come_back(trip.decide(address), **headers)

    assert parse_qs(urlsplit(address).query)["redirect_uri"] == [expected]
    assert json.loads(token_calls(sandbox)[0].body)["redirect_uri"] == expected
    assert response.status_code == 302
    assert "evil" not in response["Location"]


@pytest.mark.parametrize(
    "query",
    [
        "?scope=mailboxes.delete",
        "?scope=users.all%20webhooks.all",
        "?auth_params=client_id%3Devil%26redirect_uri%3Dhttps%253A%252F%252Fevil.example%26scope%3Dusers.delete",
        "?process=login&next=https://evil.example",
        "?action=reauthenticate&prompt=none",
        "?client_id=evil&redirect_uri=https://evil.example&state=fixed",
    ],
)
def test_nothing_in_the_query_changes_what_is_asked_for(trip, sandbox, settings, query):
    plain, with_query = (parse_qs(urlsplit(trip.leave(each)).query) for each in ("", query))

    for asked in (plain, with_query):
        assert asked.pop("state") != ["fixed"]
        asked.pop("code_challenge")
        asked["scope"] = sorted(asked["scope"][0].split())  # their order says nothing
    assert with_query == plain
    assert plain["scope"] == sorted(REQUESTED)
    assert plain["client_id"] == [settings.OUTREACH_CLIENT_ID]


# ── O5: denial and errors ────────────────────────────────────────────────────────────────────────


def test_o5_a_denial_says_so_and_stores_nothing(trip, sandbox, domain):
    response = trip.walk(decision="deny")

    assert response.status_code == 400
    assert "You, or your Outreach administrator, did not allow the connection." in words_of(response)
    assert NOTHING_STORED in words_of(response)
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_o5_an_error_with_markup_is_shown_as_our_own_words_and_leaves_the_connection(
    trip, sandbox, connection
):
    before = get_values(connection)
    state = parse_qs(urlsplit(trip.leave()).query)["state"][0]

    response = trip.client.get(
        reverse("outreach_callback"),
        {
            "state": state,
            "error": "<img src=x onerror=alert(1)>",
            "error_description": "<script>alert(2)</script>",
            "error_uri": "javascript:alert(3)",
        },
    )

    assert response.status_code == 400
    assert b"alert(" not in response.content
    assert UNTOUCHED in words_of(response)
    assert (token_calls(sandbox), get_values(connection)) == ([], before)


def test_o5_an_error_beside_a_code_counts_as_an_error(trip, sandbox, domain):
    response = trip.come_back(trip.decide(trip.leave()) + "&error=server_error")

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


# ── O6, O7, O8: scopes ───────────────────────────────────────────────────────────────────────────

SUBSETS = [subset for size in range(4) for subset in combinations(REQUESTED, size)]


@pytest.mark.parametrize("granted", SUBSETS, ids=lambda subset: "+".join(subset) or "none")
def test_o6_fewer_scopes_make_a_limited_connection_that_names_what_is_lost(trip, sandbox, domain, granted):
    response = trip.walk(grant=granted)

    found = Connection.objects.get(domain=domain)
    missing = [scope for scope in REQUESTED if scope not in granted]
    assert (response.status_code, found.state) == (302, ConnectionState.ACTIVE)
    assert (found.is_limited, found.scopes_missing, found.scopes_granted) == (True, missing, list(granted))
    # One read tells the organisation, under a scope that was granted; none asks what was not.
    calls = [entry.path for entry in sandbox.requests if entry.path.startswith("/api/")]
    assert calls == (["/api/v2/users"] if "users.all" in granted else [])
    assert all(entry.status == 200 for entry in sandbox.requests if entry.path.startswith("/api/"))
    page = words_of(trip.client.get(response["Location"]))
    for sentence in features_lost(missing):
        assert " ".join(sentence.split()) in page
    for sentence in features_lost(granted):
        assert " ".join(sentence.split()) not in page


def test_o7_extra_scopes_are_kept_apart_and_never_used(trip, sandbox, domain):
    sandbox.settings.grant_scopes = (*REQUESTED, "calls.all", "webhooks.delete")

    response = trip.walk()

    found = Connection.objects.get(domain=domain)
    assert (found.is_limited, found.scopes_unasked) == (False, ["calls.all", "webhooks.delete"])
    page = words_of(trip.client.get(response["Location"]))
    assert "calls.all" in page and "webhooks.delete" in page and "never used" in page


@pytest.mark.parametrize("spelling", ["plus", "reversed", "duplicated"])
def test_o8_any_spelling_of_the_scopes_is_read(trip, sandbox, domain, spelling):
    sandbox.settings.scope_spelling = spelling

    trip.walk()

    found = Connection.objects.get(domain=domain)
    assert (found.scopes_granted, found.scopes_known, found.is_limited) == (list(REQUESTED), True, False)


@pytest.mark.parametrize("granted", [REQUESTED, ("users.all", "teams.read"), ("mailboxes.all",), ()])
def test_o8_an_absent_scope_is_probed_and_never_assumed(trip, sandbox, domain, granted):
    sandbox.settings.scope_spelling = "absent"

    response = trip.walk(grant=granted)

    assert response.status_code == 302
    found = Connection.objects.get(domain=domain)
    assert (found.scopes_known, found.scopes_granted) == (False, list(granted))
    probed = [entry.path for entry in sandbox.requests if entry.path.startswith("/api/")]
    assert set(probed) == {"/api/v2/users", "/api/v2/teams", "/api/v2/mailboxes", "/api/v2/prospects"}
    assert {entry.method for entry in sandbox.requests if entry.path.startswith("/api/")} == {"GET"}


# ── O9: a token endpoint in trouble ──────────────────────────────────────────────────────────────

TROUBLES: dict[str, tuple[str, dict[str, Any]]] = {
    "500": ("status", {"status": 500, "body": "<html>Oops</html>"}),
    "502": ("bad_gateway", {}),
    "503 in maintenance": ("unavailable", {}),
    "429 as plain text": ("retry_later", {}),
    "no answer": ("reset", {}),
    "cut": ("cut", {"bytes": 60}),
    "a page with 200": ("body", {"value": "<html>Sign in</html>"}),
    "truncated": ("truncated_json", {}),
    "ten megabytes": ("huge", {"bytes": 10_000_000}),
    "NaN": ("body", {"value": '{"access_token": NaN}'}),
    "a list": ("body", {"value": "[]"}),
    "deep": ("body", {"value": "[" * 100_000}),
    "no life": ("set_key", {"key": "expires_in", "value": None}),
    "negative life": ("set_key", {"key": "expires_in", "value": -7200}),
    "life as text": ("set_key", {"key": "expires_in", "value": "7200"}),
    "endless life": ("set_key", {"key": "expires_in", "value": 10**12}),
    "no token": ("drop_key", {"key": "access_token"}),
    "no refresh token": ("drop_key", {"key": "refresh_token"}),
    "a token with a line break": ("set_key", {"key": "access_token", "value": "abcdefgh\r\nX-Evil: 1"}),
    "token as number": ("set_key", {"key": "refresh_token", "value": 12345678}),
    "another kind of token": ("set_key", {"key": "token_type", "value": "mac"}),
    "a redirect": ("redirect", {}),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_o9_trouble_at_the_token_endpoint_says_what_to_do_and_stores_nothing(trip, sandbox, domain, name):
    kind, options = TROUBLES[name]
    sandbox.faults.add(kind, path="/oauth/token", times=None, **options)

    response = trip.walk()

    assert response.status_code == 502
    page = words_of(response)
    assert NOTHING_STORED in page and "onnect again" in page
    assert not domain.connections.exists()
    assert get_acts(domain) == []
    assert len(token_calls(sandbox)) == 1  # a code works once: it is not spent again and again
    [entry] = LedgerEntry.objects.filter(domain=domain)
    assert (entry.endpoint, entry.method, entry.outcome) == ("exchange_code", "POST", "failed")


def test_o9_a_token_endpoint_that_never_answers_is_left_in_time(trip, sandbox, domain, monkeypatch):
    monkeypatch.setattr("integrations.outreach.oauth.CALL_SECONDS", 0.4)
    sandbox.faults.add("drip", path="/oauth/token", bytes=1, seconds=0.1)

    response = trip.walk()

    assert response.status_code == 502
    assert not domain.connections.exists()


def test_o9_an_existing_connection_is_untouched_by_a_reconnect_that_fails(trip, sandbox, connection):
    sandbox.faults.add("retry_later", path="/oauth/token", times=None)
    before = get_values(connection)

    response = trip.walk()

    assert response.status_code == 502
    assert UNTOUCHED in words_of(response) and "Wait a minute" in words_of(response)
    assert get_values(connection) == before


@pytest.mark.parametrize("kind", ["forbidden", "unauthorized", "truncated_json", "empty_collection"])
def test_a_new_token_that_shows_no_organisation_is_not_stored(trip, sandbox, domain, kind):
    sandbox.faults.add(kind, path="/api/v2/users", times=None)

    response = trip.walk()

    assert response.status_code == 502
    assert NOTHING_STORED in words_of(response)
    assert not domain.connections.exists()


# ── O10: another organisation ────────────────────────────────────────────────────────────────────


def test_o10_reconnecting_renews_the_same_row(trip, sandbox, domain):
    trip.walk()
    first = get_values(Connection.objects.get(domain=domain))

    response = trip.walk()

    assert response.status_code == 302
    again = get_values(Connection.objects.get(domain=domain))
    assert again["id"] == first["id"] and again["token_version"] == first["token_version"] + 1
    assert again["refresh_sealed"] != first["refresh_sealed"]
    assert get_acts(domain) == ["connected", "reconnected"]


def test_o10_another_organisation_is_refused_and_changes_nothing(trip, sandbox, domain):
    trip.walk()
    before = get_values(Connection.objects.get(domain=domain))
    sandbox.directory.update("users", 1, user_guid="another-organisation")

    response = trip.walk()

    assert response.status_code == 409
    assert "another Outreach organisation" in words_of(response) and UNTOUCHED in words_of(response)
    assert get_values(Connection.objects.get(domain=domain)) == before


def test_o10_an_organisation_that_cannot_be_told_is_refused_where_one_is_known(trip, domain):
    trip.walk()
    before = get_values(Connection.objects.get(domain=domain))

    response = trip.walk(grant=("teams.read", "mailboxes.all"))

    assert response.status_code == 409
    assert "We could not confirm" in words_of(response)
    assert get_values(Connection.objects.get(domain=domain)) == before


def test_reconnecting_while_the_connection_is_leaving_is_refused(trip, domain):
    trip.walk()
    trip.client.post(reverse("integrations:outreach_disconnect", args=[domain.name]), {"restores": "0"})
    before = get_values(Connection.objects.get(domain=domain))
    assert before["state"] == ConnectionState.DISCONNECTING

    response = trip.walk()

    assert response.status_code == 409
    assert "being disconnected right now" in words_of(response)
    assert get_values(Connection.objects.get(domain=domain)) == before


# ── O12, and what connecting never does ──────────────────────────────────────────────────────────


def test_o12_every_answer_of_the_callback_is_private_and_tells_nobody_its_code(trip, domain, caplog):
    caplog.set_level(logging.DEBUG)
    address = trip.decide(trip.leave())
    code = parse_qs(urlsplit(address).query)["code"][0]

    responses = [
        trip.come_back(change_query(address, state="x")),
        trip.come_back(address),
        trip.come_back(address),
    ]

    assert [response.status_code for response in responses] == [400, 302, 400]
    for response in responses:
        assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert code not in str(response.headers) + response.content.decode()
    assert code not in caplog.text


def test_connecting_logs_nobody_in_and_makes_no_account(client, sandbox, domain, owner):
    users = User.objects.count()
    for query in ("", "?code=x&state=y", "?error=access_denied"):
        response = client.get(reverse("outreach_callback") + query)
        assert response.status_code == 400

    for query in ("", "?process=login", "?process=connect", "?process=redirect&next=/admin/"):
        response = client.get(reverse("outreach_login") + query)
        assert (response.status_code, response["Location"].partition("?")[0]) == (
            302,
            reverse("account_login"),
        )

    assert "_auth_user_id" not in client.session
    assert User.objects.count() == users
    assert sandbox.requests == []


def test_an_anonymous_browser_cannot_bring_somebody_elses_answer(trip, sandbox, domain):
    address = trip.decide(trip.leave())
    nobody = Client()

    response = trip.come_back(address, client=nobody)

    assert response.status_code == 400
    assert "_auth_user_id" not in nobody.session
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


def test_a_process_other_than_connect_is_refused(trip, sandbox, domain):
    address = trip.decide(trip.leave())
    session = trip.client.session
    for state, *_ in session["socialaccount_states"].values():
        state["process"] = "login"
    session.save()

    response = trip.come_back(address)

    assert response.status_code == 400
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_only_who_may_connect_is_sent_to_outreach(client, sandbox, domain, make_member, role):
    client.force_login(make_member(domain, role))

    response = client.post(reverse("integrations:outreach_connect", args=[domain.name]))

    assert response.status_code == 403
    assert sandbox.requests == []


def test_a_domain_of_others_answers_as_one_that_does_not_exist(client, sandbox, other_domain, owner):
    client.force_login(owner)

    answers = [
        client.post(reverse("integrations:outreach_connect", args=[name])).status_code
        for name in (other_domain.name, "nowhere.example")
    ]

    assert answers == [404, 404]


def test_connecting_needs_the_client_id(trip, sandbox, domain, settings):
    settings.OUTREACH_CLIENT_ID = ""

    response = trip.client.post(reverse("integrations:outreach_connect", args=[domain.name]))

    assert response.status_code == 503
    assert "OUTREACH_CLIENT_ID" in words_of(response)


# ── O11: the same answer many times at once ──────────────────────────────────────────────────────


def sign_in(address):
    """A browser signed in as the owner of acme.example."""
    browser = requests.Session()
    browser.get(f"{address}/accounts/login/", timeout=20)
    reply = browser.post(
        f"{address}/accounts/login/",
        data={
            "login": "owner@acme.example",
            "password": "correct horse battery",
            "csrfmiddlewaretoken": _form_token(browser, f"{address}/accounts/login/"),
        },
        headers={"Referer": address},
        allow_redirects=False,
        timeout=20,
    )
    assert reply.status_code == 302, reply.text
    return browser


def _form_token(browser, page):
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(page, timeout=20).text)
    assert found
    return found.group(1)


def test_o11_one_answer_brought_twenty_times_at_once_is_exchanged_once(installation, sandbox):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    sandbox.client.redirect_uris = (address + reverse("outreach_callback"),)
    installation.connect("acme.example", None)
    page = f"{address}/manage/domains/acme.example/integrations/outreach/"
    installation.start("serve", "--no-worker", f"--port={port}", output=installation.log, PUBLIC_URL=address)

    def is_answering():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{address}/healthz", timeout=5).ok

    wait_until(is_answering, seconds=60)
    browser = sign_in(address)
    out = browser.post(
        page + "connect/",
        data={"csrfmiddlewaretoken": _form_token(browser, page)},
        headers={"Referer": page},
        allow_redirects=False,
        timeout=20,
    )
    back = RoundTrip(Client(), sandbox, Domain(name="acme.example")).decide(out.headers["Location"])
    code = parse_qs(urlsplit(back).query)["code"][0]
    cookies = browser.cookies.get_dict()
    start = threading.Barrier(20)

    def come_back(_):
        start.wait()
        return requests.get(back, cookies=cookies, allow_redirects=False, timeout=60).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(pool.map(come_back, range(20)))

    assert answers == {302: 1, 400: 19}
    assert [entry.status for entry in token_calls(sandbox)] == [200]
    assert installation.rows("select state, token_version from integrations_connection") == [("active", 1)]
    assert code not in installation.log.read_text()  # no access log keeps it either
