"""How mailboxes stood day by day: written with each sync and by the schedule, drawn, kept for a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from signatures import tasks
from signatures.models import MailboxDay
from tests.support.deliveries import get_delivered
from tests.support.hand_edits import edit, pick_mailboxes, sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_day_has_one_row_as_the_last_count_left_it(client, owner, domain, sandbox, ready, deliver):
    delivered = get_delivered(deliver())
    mine, _ = pick_mailboxes(delivered)
    with time_machine.travel(timezone.now() - timedelta(days=2), tick=True):
        tasks.note_statuses()
    edit(sandbox, mine)

    sync_mailboxes(ready)
    tasks.note_statuses()

    earlier, today = MailboxDay.objects.filter(domain=domain)
    assert earlier.counts["up_to_date"] == len(delivered)
    assert (today.counts["up_to_date"], today.counts["edited"]) == (len(delivered) - 1, 1)
    client.force_login(owner)
    page = client.get(reverse("signatures:drift", args=[domain.name]))
    days = page.context["days"]
    assert [(row.up_to_date, row.numbers[0]) for row in days] == [
        (len(delivered), 0),
        (len(delivered), 0),
        (len(delivered) - 1, 1),
    ]
    assert days[-1].release == "Release 1"
    assert 'class="event"' in page.content.decode()
    assert "Show data table" in page.content.decode()


def test_days_go_with_the_deliveries_of_their_time(domain, settings):
    today = timezone.now().date()
    for age in (settings.DELIVERY_KEEP_DAYS + 2, 1):
        MailboxDay.objects.create(domain=domain, day=today - timedelta(days=age), counts={})

    tasks.remove_old_deliveries()

    assert [row.day for row in MailboxDay.objects.all()] == [today - timedelta(days=1)]
