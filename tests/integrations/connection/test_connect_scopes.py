"""The scopes of a new connection: fewer, more, spelled in any way, or not said at all."""

from __future__ import annotations

from itertools import combinations

import pytest

from integrations.models import Connection, ConnectionState
from integrations.outreach.scopes import REQUESTED, features_lost
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

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
