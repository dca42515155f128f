"""The page of a disconnect whose originals wait, or ask somebody: accessible, within the policy and its window."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import ConnectionState
from signatures.models import Delivery, DeliveryRun
from tests.support.browser_checks import find_faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CAUSES = {
    "halted": "3 mailboxes could not be restored, for the reasons listed.",
    "waiting": "Outreach is not answering. No action needed: the portal tries again.",
}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("state", CAUSES)
def test_a_disconnect_that_waits_or_asks_is_accessible(open_page, connected, domain, width, scheme, state):
    connection = connected(state=ConnectionState.DISCONNECTING, disconnect_step="restoring")
    run = DeliveryRun.objects.create(
        domain=domain, connection=connection, kind="restore", state=state, planned=1433, delivered=126, settled=126,
        cause=CAUSES[state],
        waiting_since=timezone.now() - timedelta(minutes=20), started_by_label="dana@acme.example",
        resume_at=None if state == "halted" else timezone.now() + timedelta(minutes=8),
    )  # fmt: skip
    Delivery.objects.create(run=run, mailbox_remote_id="1", mailbox_email="kim@acme.example")
    page = open_page(width, scheme)
    paths = [
        reverse("integrations:outreach", args=[domain.name]),
        reverse("signatures:delivery_run", args=[domain.name, run.pk]),
    ]

    faults = [fault for path in paths for fault in find_faults(page, path)]

    assert faults == []
