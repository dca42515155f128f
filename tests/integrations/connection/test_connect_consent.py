"""What a person decides on Outreach's page: everything allowed connects, anything refused stores nothing."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from integrations.models import Connection, ConnectionState
from integrations.outreach.scopes import REQUESTED
from tests.support.connections import get_acts, get_values
from tests.support.consent import NOTHING_STORED, UNTOUCHED, token_calls
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


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
