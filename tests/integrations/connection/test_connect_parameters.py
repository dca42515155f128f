"""What is asked of Outreach and what an answer may carry: issuer, code, PKCE, redirect URI and the rest."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from integrations.outreach.scopes import REQUESTED
from tests.support.consent import NOTHING_STORED, change_query, token_calls
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


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
