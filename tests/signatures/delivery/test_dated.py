"""Dates in a release: disclaimers and templates reach mailboxes of their group by automatic delivery, on the day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.models import Domain
from signatures.authoring.dated_assignments import add_dated_assignment
from signatures.authoring.templates import save_template
from signatures.models import (
    DatedAssignment,
    DeliveryRun,
    DeliverySettings,
    Disclaimer,
    Group,
    Release,
    Sender,
)
from tests.support.deliveries import change_template, get_delivered, get_held, get_writes
from tests.support.hand_edits import sync_mailboxes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _automatic(domain) -> None:
    """Automatic delivery never asks first."""
    DeliverySettings.objects.update_or_create(domain=domain, defaults={"automatic_cap_percent": 100})


def find_sender_in_group(domain: Domain) -> Sender:
    first, *_ = Sender.objects.filter(domain=domain, is_active=True).exclude(group__is_default=True)
    return first


def list_boxes(sandbox, delivered: set[str], group: Group) -> set[str]:
    """Return which of these mailboxes are of the group's people."""
    return {
        box
        for sender in Sender.objects.filter(group=group).select_related("person")
        for box in delivered
        if sandbox.directory.mailboxes[int(box)].user_id == int(sender.person.remote_id)
    }


def test_a_disclaimer_goes_out_on_its_day_to_its_group_alone_and_again_when_it_ends(
    sandbox, ready, domain, deliver, monkeypatch
):
    change_template(domain, "<p>{{ sender.name }}</p><p>{{ company.legal }}</p>")
    first = find_sender_in_group(domain)
    tomorrow = domain.get_today() + timedelta(days=1)
    Disclaimer.objects.create(
        domain=domain, group=first.group, text="Meet us at the fair", starts_on=tomorrow, ends_on=tomorrow
    )
    delivered = get_delivered(deliver())
    theirs = list_boxes(sandbox, delivered, first.group)
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


def test_a_template_goes_out_on_its_day_to_its_group_alone_and_the_next_one_after_it(
    sandbox, ready, domain, deliver, monkeypatch
):
    change_template(domain, "<p>{{ sender.name }}</p><p>Always</p>")
    first = find_sender_in_group(domain)
    tomorrow = domain.get_today() + timedelta(days=1)
    for name, day in (("Winter", tomorrow), ("Fair", tomorrow + timedelta(days=1))):
        version = save_template(
            domain, name=name, source=f"<p>{{{{ sender.name }}}}</p><p>{name}</p>", actor="test"
        )
        assignment = DatedAssignment(
            domain=domain, template=version.template, group=first.group, starts_on=day, ends_on=day
        )
        add_dated_assignment(assignment, actor="test")
    delivered = get_delivered(deliver())
    theirs = list_boxes(sandbox, delivered, first.group)
    before, releases = get_held(sandbox), Release.objects.count()
    sandbox.requests.clear()

    sync_mailboxes(ready)
    assert get_writes(sandbox) == []
    held, written = {}, {}
    for days, word in ((1, "Winter"), (2, "Fair"), (3, "Always")):
        day = tomorrow + timedelta(days=days - 1)
        monkeypatch.setattr(Domain, "get_today", lambda self, day=day: day)
        sandbox.requests.clear()
        sync_mailboxes(ready)
        held[word] = {box for box, html in get_held(sandbox).items() if word in html}
        written[word] = set(get_writes(sandbox))

    assert theirs and theirs < delivered
    assert written == dict.fromkeys(("Winter", "Fair", "Always"), theirs)
    assert (held["Winter"], held["Fair"]) == (theirs, theirs)
    assert get_held(sandbox) == before
    assert Release.objects.count() == releases
    assert set(DeliveryRun.objects.values_list("started_by_label", flat=True)) == {"test", "schedule"}
