"""Connecting where a connection is: the same organisation renews the row, any other changes nothing."""

from __future__ import annotations

import pytest
from django.urls import reverse

from integrations.models import Connection, ConnectionState
from tests.support.connections import get_acts, get_values
from tests.support.consent import UNTOUCHED
from tests.support.page_text import words_of

pytestmark = pytest.mark.usefixtures("unchanged_bystander")


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
    trip.client.post(
        reverse("integrations:outreach_disconnect", args=[domain.name]),
        {"restores": "0", "confirmation": domain.name},
    )
    before = get_values(Connection.objects.get(domain=domain))
    assert before["state"] == ConnectionState.DISCONNECTING

    response = trip.walk()

    assert response.status_code == 409
    assert "being disconnected right now" in words_of(response)
    assert get_values(Connection.objects.get(domain=domain)) == before
