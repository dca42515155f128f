"""A token endpoint in trouble: it is said what to do, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.models import LedgerEntry
from tests.support.connections import get_acts, get_values
from tests.support.consent import NOTHING_STORED, UNTOUCHED, token_calls
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

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
