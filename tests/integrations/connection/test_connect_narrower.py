"""The narrower request: users.read in place of users.all, chosen by a person and by no address."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from integrations.connection.sessions import open_session
from integrations.errors import ScopeMissing
from integrations.ledger.usage import summarise
from integrations.models import Connection, LedgerEntry, Person, RunState
from integrations.outreach.scopes import REQUESTED, REQUESTED_NARROWLY
from tests.support.consent import NOTHING_STORED
from tests.support.page_text import words_of
from tests.support.sync_runs import run_sync

pytestmark = pytest.mark.usefixtures("unchanged_bystander")

NARROWER = ("users.read", "teams.read", "mailboxes.all", "prospects.read")


@pytest.fixture
def registered(sandbox) -> None:
    """The portal's application in Outreach lists users.read too."""
    sandbox.settings.registered_scopes = (*REQUESTED, "users.read")


def ask(trip, domain, query: str = "", **fields: str):
    return trip.client.post(
        reverse("integrations:outreach_connect", args=[domain.name]) + query, fields, follow=False
    )


def asked_scopes(address: str) -> list[str]:
    return sorted(parse_qs(urlsplit(address).query)["scope"][0].split(" "))


def test_the_narrower_request_differs_in_one_permission():
    assert REQUESTED_NARROWLY == NARROWER
    assert [pair for pair in zip(REQUESTED, NARROWER, strict=True) if len(set(pair)) > 1] == [
        ("users.all", "users.read")
    ]


def test_who_chooses_the_narrower_request_is_connected_with_it_and_nothing_is_missing(
    trip, sandbox, domain, registered
):
    address = ask(trip, domain, ask_for="narrower")["Location"]
    assert asked_scopes(address) == sorted(NARROWER)

    trip.come_back(trip.decide(address, grant=NARROWER))

    found = Connection.objects.get(domain=domain)
    assert (found.scopes_requested, found.scopes_granted) == (list(NARROWER), list(NARROWER))
    assert (found.is_limited, found.scopes_unasked, bool(found.account_key)) == (False, [], True)
    run = run_sync(found)
    assert (run.state, run.cause, Person.objects.filter(connection=found).count()) == (
        RunState.COMPLETE,
        "",
        24,
    )
    calls = LedgerEntry.objects.filter(domain=domain, endpoint="list_users")
    assert set(calls.values_list("scope", "verb", "outcome")) == {("users.read", "read", "answered")}
    page = words_of(trip.client.get(reverse("integrations:outreach", args=[domain.name])))
    assert "users.all" not in page


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?ask_for=narrower&narrower=true&scope=users.read", {}),
        ("?scope=sequences.all", {"ask_for": "usual"}),
        ("", {"scope": "sequences.all", "narrower": "1"}),
    ],
)
def test_no_address_and_no_other_field_changes_the_four(trip, domain, registered, query, fields):
    assert asked_scopes(ask(trip, domain, query, **fields)["Location"]) == sorted(REQUESTED)


def test_any_other_choice_asks_outreach_for_nothing(trip, sandbox, domain):
    response = ask(trip, domain, ask_for="users.read sequences.all")

    assert response["Location"] == reverse("integrations:outreach", args=[domain.name])
    assert "choose the usual request" in words_of(trip.client.get(response["Location"]))
    assert list(sandbox.requests) == []


def test_an_application_that_does_not_list_it_is_told_apart_and_nothing_changes(trip, sandbox, domain):
    address = ask(trip, domain, ask_for="narrower")["Location"]

    reply = trip.client.get(address.replace(sandbox.base_url, ""))  # not ours: no page of that address here
    assert reply.status_code == 404
    back = (
        reverse("outreach_callback")
        + f"?error=invalid_scope&state={parse_qs(urlsplit(address).query)['state'][0]}"
    )
    response = trip.client.get(back)

    assert response.status_code == 400
    assert "does not let this portal’s application ask for these permissions" in words_of(response)
    assert NOTHING_STORED in words_of(response)
    assert domain.connections.count() == 0


def test_where_outreach_grants_more_than_was_asked_calls_count_under_what_was_asked(
    trip, sandbox, domain, registered
):
    sandbox.settings.grant_scopes = REQUESTED
    address = ask(trip, domain, ask_for="narrower")["Location"]

    trip.come_back(trip.decide(address, grant=NARROWER))

    found = Connection.objects.get(domain=domain)
    assert (found.is_limited, found.scopes_unasked) == (False, ["users.all"])
    run_sync(found)
    assert set(
        LedgerEntry.objects.filter(domain=domain, endpoint="list_users").values_list("scope", flat=True)
    ) == {"users.read"}


def test_a_row_that_names_a_grant_nobody_asked_for_opens_nothing_by_it(sandbox, connection):
    """What was asked for bounds what is used, whatever the row says was granted."""
    others = tuple(scope for scope in NARROWER if scope != "users.read")
    Connection.objects.filter(pk=connection.pk).update(
        scopes_requested=list(NARROWER), scopes_granted=["users.all", *others]
    )
    connection.refresh_from_db()

    with open_session(connection, job="test") as session, pytest.raises(ScopeMissing):
        list(session.connector.list_people())
    assert sandbox.requests == []

    with open_session(
        connection, job="test"
    ) as session:  # what was asked for and granted opens what it opens
        assert any(page.records for page in session.connector.list_mailboxes())
    assert {request.path for request in sandbox.requests} == {"/api/v2/mailboxes"}
    refused = LedgerEntry.objects.get(domain=connection.domain, outcome="refused")
    assert (refused.endpoint, refused.verb) == ("list_users", "read")


def test_an_absent_scope_is_probed_under_the_narrower_names(trip, sandbox, domain, registered):
    sandbox.settings.scope_spelling = "absent"
    address = ask(trip, domain, ask_for="narrower")["Location"]

    trip.come_back(trip.decide(address, grant=("users.read", "mailboxes.all")))

    found = Connection.objects.get(domain=domain)
    assert (found.scopes_known, found.scopes_granted) == (False, ["users.read", "mailboxes.all"])
    assert set(
        LedgerEntry.objects.filter(domain=domain, endpoint="list_users").values_list("scope", flat=True)
    ) == {"users.read"}


def test_reconnecting_narrows_an_open_connection_and_explains_the_difference(
    trip, sandbox, domain, registered
):
    trip.walk()
    before = Connection.objects.get(domain=domain)

    page = words_of(trip.client.get(reverse("integrations:outreach_request", args=[domain.name])))
    address = ask(trip, domain, ask_for="narrower")["Location"]
    trip.come_back(trip.decide(address, grant=NARROWER))

    assert "Creating, changing or locking users." in page and "users.read in place of users.all" in page
    after = Connection.objects.get(domain=domain)
    assert (after.pk, after.scopes_requested) == (before.pk, list(NARROWER))
    # What was used before stays on the pages, beside what is asked for now.
    run_sync(after)
    assert [(use.scope, use.is_requested, use.calls > 0) for use in summarise(domain, after)][::4] == [
        ("users.read", True, True),
        ("users.all", False, True),
    ]
    preselected = trip.client.get(reverse("integrations:outreach_request", args=[domain.name])).text
    assert 'value="narrower" checked' in preselected


def test_connecting_a_lost_narrow_connection_again_does_not_widen_it(trip, sandbox, domain, registered):
    trip.come_back(trip.decide(ask(trip, domain, ask_for="narrower")["Location"], grant=NARROWER))
    Connection.objects.filter(domain=domain).update(state="lost", access_sealed="", refresh_sealed="")

    page = trip.client.get(reverse("integrations:outreach", args=[domain.name])).text

    assert page.count('name="ask_for" value="narrower"') == 2  # the button at the head, and the choice below
    assert '<input type="hidden" name="ask_for" value="narrower">' in page
    assert 'value="narrower" checked' in page


def test_a_choice_survives_the_question_who_one_is(trip, sandbox, domain, owner, registered):
    page = reverse("integrations:outreach_request", args=[domain.name])
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        asked = trip.client.post(page, {"ask_for": "narrower"})
        trip.client.post(asked["Location"], {"password": "correct horse battery"})
        again = trip.client.get(page).text
        address = trip.client.post(page, {"ask_for": "narrower"})["Location"]

    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert 'value="narrower" checked' in again
    assert asked_scopes(address) == sorted(NARROWER)
