"""Dates in a release: what a disclaimer says from a day on reaches its group's mailboxes by automatic delivery."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.models import Domain
from signatures.models import DeliveryRun, DeliverySettings, Disclaimer, Release, Sender
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes
from tests.support.hand_edits import sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_disclaimer_goes_out_on_its_day_to_its_group_alone_and_again_when_it_ends(
    sandbox, ready, domain, deliver, monkeypatch
):
    DeliverySettings.objects.update_or_create(domain=domain, defaults={"automatic_cap_percent": 100})
    change_template(domain, "<p>{{ sender.name }}</p><p>{{ company.legal }}</p>")
    first, *_ = Sender.objects.filter(domain=domain, is_active=True).exclude(group__is_default=True)
    tomorrow = domain.get_today() + timedelta(days=1)
    Disclaimer.objects.create(
        domain=domain, group=first.group, text="Meet us at the fair", starts_on=tomorrow, ends_on=tomorrow
    )
    delivered = get_delivered(deliver())
    theirs = {
        box
        for sender in Sender.objects.filter(group=first.group).select_related("person")
        for box in delivered
        if sandbox.directory.mailboxes[int(box)].user_id == int(sender.person.remote_id)
    }
    before, releases = get_held(sandbox), Release.objects.count()
    sandbox.requests.clear()

    sync_mailboxes(ready)
    nothing = get_writes(sandbox)
    monkeypatch.setattr(Domain, "get_today", lambda self: tomorrow)
    sync_mailboxes(ready)
    during, written = get_held(sandbox), set(get_writes(sandbox))
    monkeypatch.setattr(Domain, "get_today", lambda self: tomorrow + timedelta(days=1))
    sync_mailboxes(ready)

    assert nothing == []
    assert theirs and theirs < delivered
    assert written == theirs
    assert {box for box, html in during.items() if "Meet us at the fair" in html} == theirs
    assert get_held(sandbox) == before
    assert Release.objects.count() == releases
    assert set(DeliveryRun.objects.values_list("started_by_label", flat=True)) == {"test", "schedule"}
