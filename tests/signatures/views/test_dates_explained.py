"""Templates with dates: which one holds at a minute, or held on a day, and why, as the pages say it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from portal.models import Domain, Role
from signatures.authoring.templates import save_template
from signatures.models import Group, Sender
from signatures.releases.live import get_live
from tests.support.dated import DECEMBER, assign, find
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import text_of

HOME = "/domains/acme.example/"
ACTOR = "lena@acme.example"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _november():
    with time_machine.travel(NOON, tick=True):
        yield


@pytest.mark.parametrize(
    ("at", "template", "why"),
    [
        ("2026-11-30T22:59:59", "Always", "Inherited from the default group."),
        ("2026-11-30T23:00:00", "Winter", "Assigned to the group from 1 Dec 2026 until 24 Dec 2026."),
        ("2026-12-24T22:59:59", "Winter", "Assigned to the group from 1 Dec 2026 until 24 Dec 2026."),
        ("2026-12-24T23:00:00", "Fair", "Inherited from the default group from 25 Dec 2026."),
        ("2027-01-01T22:59:59", "Fair", "Inherited from the default group from 25 Dec 2026."),
        ("2027-01-01T23:00:00", "Own", "Assigned to this sender from 2 Jan 2027; overrides the group."),
    ],
)
def test_a_sender_is_told_what_holds_and_why_at_the_minute_in_which_it_changes(
    offices, company, login, at, template, why
):
    west = offices["West"]
    Domain.objects.filter(pk=company.domain.pk).update(time_zone="Europe/Berlin")
    save_template(company.domain, name="Own", source="<p>Own</p>", actor=ACTOR)
    default = Group.objects.get(domain=company.domain, is_default=True)
    assign(company, "Winter", group=west.group, **DECEMBER)
    assign(company, "Fair", group=default, starts_on="2026-12-25")
    assign(company, "Own", sender=west, starts_on="2027-01-02")
    publish_drafts(company.domain)

    with time_machine.travel(datetime.fromisoformat(at).replace(tzinfo=UTC), tick=False):
        auditor = login(Role.AUDITOR)
        today = Domain.objects.get(pk=company.domain.pk).get_today()
        page = auditor.get(f"{HOME}senders/{west.pk}/", {"on": today.isoformat()}).content.decode()
        other = auditor.get(f"{HOME}senders/{offices['East'].pk}/").content.decode()

    assert f"Template {template} {why}" in text_of(page)
    assert f"Template {template} Why {why}" in text_of(page[page.index('id="on"') :])
    held = "Fair" if template in ("Fair", "Own") else "Always"
    assert f"Template {held} Inherited from the default group" in text_of(other)


def test_a_past_day_within_the_dates_says_what_was_delivered_for_it(offices, company, login):
    ana, tom = offices["West"], offices["East"]
    Domain.objects.filter(pk=company.domain.pk).update(time_zone="Europe/Berlin")
    assign(company, "Winter", group=ana.group, **DECEMBER)
    publish_drafts(company.domain)
    release = get_live(company.domain)
    for sender in (ana, tom):
        for at, name in (("2026-11-27T12:00", "Always"), ("2026-11-30T23:00", "Winter")):
            if sender == ana or name == "Always":
                company.attempt(
                    company.run("complete", release=release),
                    sender,
                    "delivered",
                    finished_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
                    template_version=find(company, name).current,
                )

    def ask(sender: Sender, day: str) -> str:
        html = auditor.get(f"{HOME}senders/{sender.pk}/", {"on": day}).content.decode()
        return text_of(html[html.index('id="on"') : html.index("Delivery history")])

    with time_machine.travel(datetime(2027, 1, 5, 12, tzinfo=UTC), tick=False):
        auditor = login(Role.AUDITOR)
        days = {day: ask(ana, day) for day in ("2026-11-30", "2026-12-01", "2026-12-24")}
        other = ask(tom, "2026-12-01")

    inherited = "Template Always, version 1 Inherited from the default group."
    winter = "Template Winter, version 1 Assigned to the group from 1 Dec 2026 until 24 Dec 2026."
    assert inherited in days["2026-11-30"] and inherited in other
    assert winter in days["2026-12-01"] and winter in days["2026-12-24"]


def test_a_page_says_which_template_holds_outside_the_dates(offices, editor: Client):
    west = offices["West"]
    group = text_of(editor.get(f"{HOME}groups/{west.group_id}/").content.decode())
    sender = text_of(editor.get(f"{HOME}senders/{west.pk}/").content.decode())

    assert (
        "On all other days the group has its template without dates, or, where it has none, that of the default group."
        in group
    )
    assert (
        "On all other days the sender has the template assigned to them without dates, else that of the group, "
        "else that of the default group." in sender
    )
