"""Asking to leave: in one of two ways, once, and not at all where the request is rolled back."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.urls import reverse

from integrations.disconnect.steps import DisconnectRefused
from integrations.models import ConnectionState, DisconnectStep, SyncKind
from integrations.sync import runs
from tests.support.connections import get_values
from tests.support.disconnects import get_queue, get_state, leave

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("unchanged_bystander", "without_waiting"),
]


def test_the_page_leaves_in_one_of_two_ways_and_needs_a_choice(client, sandbox, connection, domain, owner):
    client.force_login(owner)
    page = reverse("integrations:outreach_disconnect", args=[domain.name])

    shown, unchosen = client.get(page), client.post(page)
    assert (shown.status_code, unchosen.status_code) == (200, 200)
    assert get_values(connection)["state"] == ConnectionState.ACTIVE

    client.post(page, {"restores": "1", "confirmation": domain.name})
    assert get_state(connection) == (ConnectionState.DISCONNECTING, DisconnectStep.RESTORING)
    assert get_queue() == [("signatures.tasks.restore_signatures", {"connection_id": str(connection.pk)})]
    before = get_values(connection)
    client.post(page, {"restores": "0", "confirmation": domain.name})
    assert get_values(connection) == before


def test_a_second_request_is_refused_and_changes_nothing(sandbox, connection):
    leave(connection)
    before = get_values(connection)

    with pytest.raises(DisconnectRefused):
        leave(connection, restores=True)
    connection.refresh_from_db()
    with pytest.raises(runs.SyncRefused):
        runs.request_sync(connection, kind=SyncKind.FULL, actor="test")

    assert get_values(connection) == before


def test_a_request_that_is_rolled_back_wakes_nobody(sandbox, connection):
    before = get_values(connection)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        leave(connection)
        raise ZeroDivisionError

    assert (get_values(connection), get_queue()) == (before, [])
