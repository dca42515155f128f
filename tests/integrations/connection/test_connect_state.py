"""The state: whoever comes back with anything but their own fresh answer connects nothing."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from integrations.models import Connection
from portal.models import Role
from tests.support.connections import get_values
from tests.support.consent import UNTOUCHED, RoundTrip, change_query, token_calls
from tests.support.page_text import words_of

NOT_YOURS = "This answer from Outreach does not match a connection that you started here."

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


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


def test_o1_a_state_dies_after_ten_minutes(trip, sandbox, domain, owner):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        trip.client.force_login(owner)  # who connects has logged in within five minutes
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
    assert "You no longer have permission to connect this domain." in words_of(response)
    assert (token_calls(sandbox), domain.connections.count()) == ([], 0)


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
