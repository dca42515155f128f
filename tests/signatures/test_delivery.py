"""Plan, start, carry out: what reaches mailboxes over real HTTP, and what never does."""

from __future__ import annotations

import pytest

from signatures.comparison import digest
from signatures.delivery import plan_delivery
from signatures.models import Delivery, DeliveryRunState, DeliveryState, Placement, Snapshot

from .conftest import get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)


def test_first_delivery_writes_each_changed_mailbox_once_and_no_other(sandbox, ready, deliver):
    before = get_held(sandbox)

    run = deliver()

    assert (run.state, run.cause, run.failed, run.skipped) == (DeliveryRunState.COMPLETE, "", 0, 0)
    assert run.delivered == run.planned == run.settled > 0
    assert sorted(get_writes(sandbox)) == sorted(get_delivered(run))
    held = get_held(sandbox)
    rows = {row.mailbox_remote_id: row for row in Delivery.objects.filter(run=run)}
    for id, html in held.items():
        if id in get_delivered(run):
            assert digest(html) == rows[id].rendered_sha256 == rows[id].returned_sha256
        else:
            assert html == before[id]
