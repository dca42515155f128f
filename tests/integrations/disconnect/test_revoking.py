"""Leaving without restoring: revoked at Outreach, then erased, whatever Outreach answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.disconnect.steps import continue_disconnect
from integrations.models import Connection, ConnectionState, DisconnectStep, LedgerEntry
from tests.support.connections import get_acts, get_values
from tests.support.disconnects import assert_erased, get_queue, get_state, leave
from tests.support.page_text import words_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]


def test_leaving_revokes_at_outreach_and_then_erases(sandbox, connection, domain):
    leave(connection)
    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.REVOKING)
    assert get_values(connection)["refresh_sealed"]
    assert get_queue() == [("integrations.tasks.continue_disconnect", {"connection_id": str(connection.pk)})]

    assert continue_disconnect(connection.pk) is True

    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is True
    assert [(e.method, e.path, e.status) for e in sandbox.requests] == [
        ("POST", "/oauth/revoke", 200),
        ("GET", "/api/v2/users", 401),  # the one that shows it; nothing was left to call with after it
    ]
    assert sandbox.oauth.live_refresh_tokens == 1  # the bystander's
    assert get_acts(domain) == ["connected", "disconnect requested", "disconnected"]
    last = LedgerEntry.objects.filter(domain=domain, action="disconnected").get()
    assert (last.actor_label, "confirmed by Outreach" in last.detail) == ("dana@acme.example", True)


@pytest.mark.parametrize("status", [404, 403, 400])
def test_r4_an_outreach_without_revocation_is_left_at_once_and_said_so(
    sandbox, connection, owner, client, status
):
    sandbox.settings.revoke_status = status
    leave(connection)

    assert continue_disconnect(connection.pk) is True

    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is False
    client.force_login(owner)
    page = client.get(reverse("integrations:outreach", args=[connection.domain.name]))
    assert "not confirmed by Outreach" in words_of(page)


@pytest.mark.parametrize("trouble", ["503", "reset", "429"])
def test_r4_an_outreach_that_cannot_be_asked_is_asked_for_five_minutes(sandbox, connection, trouble):
    kind = {"503": "unavailable", "reset": "reset", "429": "retry_later"}[trouble]
    sandbox.faults.add(kind, path="/oauth/revoke", times=None)
    leave(connection)

    first = continue_disconnect(connection.pk)
    held = get_values(connection)
    at_once = continue_disconnect(connection.pk)  # the lease: no hammering
    Connection.objects.filter(pk=connection.pk).update(
        disconnect_lease_until=None, state_changed_at=timezone.now() - timedelta(minutes=4, seconds=50)
    )
    later = continue_disconnect(connection.pk)
    still_held = get_values(connection)["refresh_sealed"]
    Connection.objects.filter(pk=connection.pk).update(
        disconnect_lease_until=None, state_changed_at=timezone.now() - timedelta(minutes=5, seconds=1)
    )
    last = continue_disconnect(connection.pk)

    assert (first, at_once, later, last) == (False, False, False, True)
    assert held["refresh_sealed"] == still_held != ""
    assert len(sandbox.requests.to("/oauth/revoke")) == 3
    assert_erased(connection)
    assert get_values(connection)["revocation_confirmed"] is False


def test_a_wrong_client_secret_does_not_keep_anybody(sandbox, connection, settings):
    settings.OUTREACH_CLIENT_SECRET = "not-the-secret"
    leave(connection)

    assert continue_disconnect(connection.pk) is True
    assert_erased(connection)


def test_tokens_sealed_with_a_lost_key_are_erased_without_a_call(sandbox, connection, settings):
    settings.TOKEN_KEYS = ["YW5vdGhlcmtleWFub3RoZXJrZXlhbm90aGVya2V5YW4="]
    leave(connection)

    assert continue_disconnect(connection.pk) is True
    assert_erased(connection)
    assert sandbox.requests == []
