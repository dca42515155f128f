"""A permission switched off here: deliveries that were queued end with the reason, and nothing is written."""

from __future__ import annotations

import pytest

from integrations.connection.permissions import switch_off, switch_on
from integrations.disconnect.steps import request_disconnect
from integrations.models import Connection
from integrations.signature_service import get_signature_service
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.restore_originals import restore_connection
from signatures.delivery.runs import start_delivery
from signatures.models import DeliveryRunState
from tests.support.deliveries import get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

BY, WHY = "dana@acme.example", "The audit is open"


def test_a_queued_delivery_ends_with_who_switched_it_off_and_why(sandbox, ready, domain):
    run = plan_delivery(domain, actor="test")
    start_delivery(run, actor="test")
    switch_off(ready, "mailboxes.all", actor=BY, reason=WHY)
    sandbox.requests.clear()

    ended = carry_out(run.pk)

    assert ended.state == DeliveryRunState.SKIPPED
    assert f"mailboxes.all was switched off here by {BY}" in ended.cause and WHY in ended.cause
    assert list(sandbox.requests) == []


def test_nothing_is_planned_while_it_is_off_and_everything_goes_on_when_it_is_on(
    sandbox, ready, domain, deliver
):
    switch_off(ready, "mailboxes.all", actor=BY, reason=WHY)
    sandbox.requests.clear()

    with pytest.raises(DeliveryBlocked, match="switched off here"):
        plan_delivery(domain, actor="test")
    assert list(sandbox.requests) == []

    switch_on(ready, "mailboxes.all", actor=BY, reason="Closed")
    assert get_delivered(deliver())


def test_other_switches_leave_deliveries_alone(sandbox, ready, deliver):
    for scope in ("users.all", "teams.read", "prospects.read"):
        switch_off(ready, scope, actor=BY, reason=WHY)

    assert get_delivered(deliver())


def test_leaving_while_it_is_off_writes_nothing_and_tells_which_mailboxes_were_left(sandbox, ready, deliver):
    delivered = get_delivered(deliver())
    held = get_held(sandbox)
    switch_off(ready, "mailboxes.all", actor=BY, reason=WHY)
    sandbox.requests.clear()

    request_disconnect(ready, restores=True, actor=BY)
    restore_connection(ready.pk)

    assert (get_writes(sandbox), get_held(sandbox)) == ([], held)
    left = get_signature_service().list_left_behind(Connection.objects.get(pk=ready.pk))
    assert {each.remote_id for each in left} == delivered
    assert {each.is_conflict for each in left} == {False}
    assert all("switched off here" in each.why for each in left)
