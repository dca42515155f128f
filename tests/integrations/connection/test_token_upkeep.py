"""Fourteen days: a daily renewal keeps an idle connection alive, and one that was not kept is reconnected."""

from __future__ import annotations

from django.urls import reverse

from integrations import tasks
from integrations.models import Connection, ConnectionState
from tests.support.connections import get_values
from tests.support.token_renewal import age, read_one

DAY = 24 * 3600


def test_a_daily_renewal_keeps_an_idle_connection_alive(sandbox, connection, bystander):
    for _ in range(20):
        sandbox.clock.advance(DAY)
        for each in (connection, bystander):
            age(each, days=1)
        tasks.refresh_tokens()

    assert read_one(Connection.objects.get(pk=connection.pk))
    assert Connection.objects.get(pk=connection.pk).token_version == 21
    assert len(sandbox.requests.to("/oauth/token")) == 40


def test_what_was_renewed_lately_is_left_alone(sandbox, connection, bystander):
    age(connection, hours=21)
    before = get_values(bystander)

    tasks.refresh_tokens()
    tasks.refresh_tokens()

    assert len(sandbox.requests.to("/oauth/token")) == 1
    assert get_values(bystander) == before


def test_after_fifteen_days_the_connection_is_lost_and_reconnects_with_its_settings(trip, sandbox, domain):
    trip.walk()
    found = Connection.objects.get(domain=domain)
    trip.client.post(reverse("integrations:outreach_mode", args=[domain.name]), {"mode": "dry_run"})
    sandbox.clock.advance(15 * DAY)
    age(found, days=15)

    tasks.refresh_tokens()
    lost = get_values(found)
    trip.walk()

    again = get_values(found)
    assert (lost["state"], lost["refresh_sealed"], lost["mode"]) == (ConnectionState.LOST, "", "dry_run")
    assert (again["state"], again["mode"], again["state_reason"]) == (ConnectionState.ACTIVE, "dry_run", "")
    assert read_one(Connection.objects.get(pk=found.pk))
