"""How many senders and recipients a campaign is for, before it is started."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signatures.campaigns.editing import set_audience
from signatures.models import AudienceTally, Campaign, Group
from tests.support.campaign_pages import PAGE, read
from tests.support.campaigns import BY, make_campaign

TITLE = [{"attribute": "title", "operator": "contains", "values": ["VP"]}]


@pytest.fixture
def draft(company, bystander, domain) -> Campaign:
    for name in ("Ana Silva", "Tom Okafor"):
        company.add(name, teams=("West",))
    company.add("Una North", teams=("North",))
    company.add("Eva Else", teams=("Elsewhere",))
    left = company.add("Lea Left", teams=("West",))
    left.is_active = False
    left.save()
    return make_campaign(domain, groups=Group.objects.filter(domain=domain, name__in=("West", "North")))


def test_active_senders_of_its_groups_are_counted_once_each(draft, domain, auditor: Client, editor: Client):
    page = f"{PAGE}{draft.pk}/"
    assert "<dd>3 active senders</dd>" in read(auditor.get(page))
    assert "<dd>3 active senders</dd>" in read(editor.get(f"{page}audience/"))
    assert "Everyone who gets their mail; not counted." in read(auditor.get(page))

    with CaptureQueriesContext(
        database,
    ) as before:
        auditor.get(page)
    draft.groups.add(*Group.objects.filter(domain=domain))
    with CaptureQueriesContext(database) as after:
        assert "<dd>4 active senders</dd>" in read(auditor.get(page))
    assert len(after) == len(before)
    draft.groups.clear()
    assert "<dd>4 active senders</dd>" in read(auditor.get(page))


def test_recipients_are_those_that_look_ups_saw_and_none_is_said_plainly(draft, domain, editor: Client):
    page = f"{PAGE}{draft.pk}/"
    set_audience(draft, TITLE, actor=BY)
    other = make_campaign(domain, name="Other")
    set_audience(other, TITLE, actor=BY)
    for address in (page, f"{page}audience/"):
        assert "Not known yet: no recipient was looked up for this audience since it was saved" in read(
            editor.get(address)
        )

    AudienceTally.objects.filter(campaign=draft).update(looked_up=1200, matched=30)

    for address in (page, f"{page}audience/"):
        assert "30 of 1,200 looked-up recipients matched (2 %)" in read(editor.get(address))
    assert "Not known yet" in read(editor.get(f"{PAGE}{other.pk}/"))
    set_audience(draft, [*TITLE, *TITLE], actor=BY)
    assert "Not known yet" in read(editor.get(page))
