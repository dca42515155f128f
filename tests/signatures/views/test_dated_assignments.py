"""Templates with dates: drafts of a group or one person, then what mailboxes have on each day, and what pages say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from integrations.models import LedgerEntry
from portal.models import Domain
from signatures.authoring.discard import DiscardRefused, discard_drafts
from signatures.authoring.templates import assign_template, save_template
from signatures.models import DatedAssignment, Group, MailboxState, Sender, Template
from signatures.releases.compose import Composed, Composer
from signatures.releases.draft import build_draft
from signatures.releases.group_lint import lint_groups
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts
from signatures.tasks import note_statuses
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


def show(sender: Sender, day: str) -> str:
    composer = Composer(sender.domain, get_live_content(sender.domain), day=date.fromisoformat(day))
    composed = composer.compose(sender)
    assert isinstance(composed, Composed), composed
    return composed.rendered.text


def read_statuses() -> dict[str, str]:
    placed = MailboxState.objects.exclude(sender__name="Bea Bystander")
    return dict(placed.values_list("sender__name", "status"))


def test_a_template_with_dates_is_a_draft_and_then_its_groups_on_these_days_alone(
    offices, company, editor: Client
):
    west, east, theirs = offices["West"], offices["East"], offices["theirs"]
    page = f"{HOME}groups/{west.group_id}/"

    response = editor.post(f"{page}dated/add/", {"template": find(company, "Winter").pk, **DECEMBER})

    assert (response.status_code, response["Location"]) == (302, page)
    assert list_drafts(company.domain) == [f"group:{west.group_id}"]
    assert show(west, "2026-12-01") == "Always"  # a draft
    drafts = text_of(editor.get(f"{HOME}releases/").content.decode())
    assert "Template with dates Winter from 1 Dec 2026 until 24 Dec 2026" in drafts
    people = text_of(editor.get(f"{HOME}releases/people/").content.decode())
    assert "Ana Silva" in people and "Tom Okafor" not in people
    entry = LedgerEntry.objects.get(action="dated template assigned")
    assert (entry.object_ref, entry.detail) == ("West", "Winter from 1 Dec 2026 until 24 Dec 2026")

    publish_drafts(company.domain)

    days = ("2026-11-30", "2026-12-01", "2026-12-24", "2026-12-25")
    assert [show(west, day) for day in days] == ["Always", "Winter", "Winter", "Always"]
    assert {show(sender, day) for sender in (east, theirs) for day in days} == {"Always"}


def test_mailboxes_of_the_group_follow_the_day_without_another_release(offices, company, bystander):
    assign(company, "Winter", group=offices["West"].group, **DECEMBER)
    assign(company, "Fair", group=offices["West"].group, starts_on="2026-12-25", ends_on="2026-12-26")
    publish_drafts(company.domain)
    for name, sender in offices.items():
        (bystander if name == "theirs" else company).place(sender)

    found = {}
    for day in (27, 30, 31, 55, 58):
        with time_machine.travel(datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(days=day - 1), tick=True):
            note_statuses()
            found[day] = read_statuses()

    others = {"Tom Okafor": "up_to_date", "Kim Theirs": "up_to_date"}
    assert {day: statuses.pop("Ana Silva") for day, statuses in found.items()} == {
        27: "up_to_date",
        30: "up_to_date",
        31: "pending",
        55: "pending",
        58: "up_to_date",
    }
    assert all(statuses == others for statuses in found.values())


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-11-30T22:59:59", "Europe/Berlin", "Always"),
        ("2026-11-30T23:00:00", "Europe/Berlin", "Winter"),
        ("2026-12-01T04:59:59", "America/New_York", "Always"),
        ("2026-12-01T05:00:00", "America/New_York", "Winter"),
        # Clocks go forward on 28 March 2027 in Berlin: that day begins at 23:00 UTC and ends at 22:00.
        ("2027-03-28T21:59:59", "Europe/Berlin", "Fair"),
        ("2027-03-28T22:00:00", "Europe/Berlin", "Always"),
        # And back on 31 October 2027: that day ends at 23:00 UTC, after 25 hours.
        ("2027-10-31T22:59:59", "Europe/Berlin", "Fair"),
        ("2027-10-31T23:00:00", "Europe/Berlin", "Always"),
    ],
)
def test_a_day_begins_and_ends_in_the_domains_time_zone(offices, company, at, zone, expected):
    west = offices["West"]
    Domain.objects.filter(pk=company.domain.pk).update(time_zone=zone)
    assign(company, "Winter", group=west.group, **DECEMBER)
    for day in ("2027-03-28", "2027-10-31"):
        assign(company, "Fair", group=west.group, starts_on=day, ends_on=day)
    publish_drafts(company.domain)

    with time_machine.travel(datetime.fromisoformat(at).replace(tzinfo=UTC), tick=False):
        domain = Domain.objects.get(pk=company.domain.pk)
        composed = Composer(domain, get_live_content(domain)).compose(west)

    assert isinstance(composed, Composed)
    assert composed.rendered.text == expected


def test_one_person_has_a_template_of_their_own_for_some_days(offices, company, editor: Client):
    ana = offices["West"]
    bob = company.add("Bob Stone", teams=("West",))
    page = f"{HOME}senders/{ana.pk}/"
    assign(company, "Winter", group=ana.group, **DECEMBER)

    response = editor.post(
        f"{page}dated/add/",
        {"template": find(company, "Fair").pk, "starts_on": "2026-12-24", "ends_on": "2026-12-26"},
    )
    publish_drafts(company.domain)

    assert (response.status_code, response["Location"]) == (302, page)
    days = ("2026-12-23", "2026-12-24", "2026-12-26", "2026-12-27")
    assert [show(ana, day) for day in days] == ["Winter", "Fair", "Fair", "Always"]
    assert [show(bob, day) for day in days] == ["Winter", "Winter", "Always", "Always"]
    assert {show(offices["theirs"], day) for day in days} == {"Always"}


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({}, "Enter the first day, the last day, or both."),
        ({"starts_on": "2027-06-30", "ends_on": "2027-06-01"}, "The last day is before the first."),
        ({"ends_on": "2026-11-26"}, "This day is over. Enter a later one."),
        ({"starts_on": "1st of December"}, "Enter a valid date."),
        ({"starts_on": "2026-12-24"}, "“Winter” is assigned from 1 Dec 2026 until 24 Dec 2026"),
        ({"ends_on": "2026-12-01"}, "“Winter” is assigned from 1 Dec 2026 until 24 Dec 2026"),
        ({"starts_on": "2026-12-05", "ends_on": "2026-12-06"}, "a day has one template only"),
        ({"starts_on": "2026-11-01", "ends_on": "2027-01-06"}, "a day has one template only"),
        ({"template": "", "starts_on": "2027-01-01"}, "This field is required."),
        ({"template": "theirs", "starts_on": "2027-01-01"}, "Select a valid choice."),
    ],
)
@pytest.mark.parametrize("page", ["groups/{west.group_id}/", "senders/{west.pk}/"])
def test_what_cannot_be_is_refused_and_says_why(
    offices, company, bystander, editor: Client, form, reason, page
):
    west = offices["West"]
    assign(company, "Winter", group=west.group, **DECEMBER)
    assign(company, "Winter", sender=west, **DECEMBER)
    theirs = Template.objects.filter(domain=bystander.domain).latest("pk")
    form = {"template": find(company, "Fair").pk, **form}
    form["template"] = theirs.pk if form["template"] == "theirs" else form["template"]

    response = editor.post(f"{HOME}{page.format(west=west)}dated/add/", form)

    assert response.status_code == 422
    assert reason in text_of(response.content.decode())
    assert DatedAssignment.objects.count() == 2


def test_days_that_another_group_or_person_has_are_free(offices, company, editor: Client):
    assign(company, "Winter", group=offices["West"].group, **DECEMBER)
    winter = {"template": find(company, "Winter").pk, **DECEMBER}
    after = {"template": find(company, "Fair").pk, "starts_on": "2026-12-25"}

    for path, form in (
        (f"groups/{offices['East'].group_id}", winter),
        (f"senders/{offices['West'].pk}", winter),
        (f"groups/{offices['West'].group_id}", after),
    ):
        assert editor.post(f"{HOME}{path}/dated/add/", form).status_code == 302

    assert DatedAssignment.objects.count() == 4


def test_pages_say_the_dates_and_what_is_over(offices, company, editor: Client, auditor: Client):
    west = offices["West"]
    assign(company, "Fair", group=west.group, starts_on="2026-10-01", ends_on="2026-10-02")
    now = assign(company, "Winter", group=west.group, starts_on="2026-11-20", ends_on="2026-12-24")
    assign(company, "Fair", sender=west, starts_on="2026-12-30")

    groups = text_of(auditor.get(f"{HOME}groups/").content.decode())
    group = text_of(auditor.get(f"{HOME}groups/{west.group_id}/").content.decode())
    senders = text_of(auditor.get(f"{HOME}senders/").content.decode())
    sender = text_of(auditor.get(f"{HOME}senders/{west.pk}/").content.decode())
    winter = text_of(editor.get(f"{HOME}templates/{now.template_id}/").content.decode())
    fair = text_of(editor.get(f"{HOME}templates/{find(company, 'Fair').pk}/").content.decode())

    assert "Winter from 20 Nov 2026 until 24 Dec 2026" in groups and "Oct 2026" not in groups
    assert "Winter , assigned to this group from 20 Nov 2026 until 24 Dec 2026." in group
    assert "Fair 1 Oct 2026 2 Oct 2026 Over" in group
    assert "Winter 20 Nov 2026 24 Dec 2026 Active" in group
    assert "Winter Winter from 20 Nov 2026 until 24 Dec 2026 Fair from 30 Dec 2026" in senders
    assert "Always Winter" not in senders
    assert "Assigned to the group from 20 Nov 2026 until 24 Dec 2026." in sender
    assert "Fair 30 Dec 2026 No last day Scheduled" in sender
    assert "West from 20 Nov 2026 until 24 Dec 2026 Active" in winter and "Used by 1 sender" in winter
    assert "Ana Silva from 30 Dec 2026 Scheduled" in fair


def test_lists_and_figures_of_a_template_are_those_of_today(offices, company, auditor: Client, monkeypatch):
    winter = assign(company, "Winter", group=offices["West"].group, **DECEMBER).template
    default = Group.objects.get(domain=company.domain, is_default=True)

    def list_having() -> list[str]:
        found = auditor.get(f"{HOME}senders/", {"template": winter.pk, "sort": "-template"})
        return [row.sender.name for row in found.context["rows"]]

    before = list_having()
    monkeypatch.setattr(Domain, "get_today", lambda self: date(2026, 12, 2))
    during = list_having()
    assign(company, "Winter", group=default, ends_on="2026-12-03")
    of_default = list_having()

    assert (before, during, sorted(of_default)) == ([], ["Ana Silva"], ["Ana Silva", "Tom Okafor"])


def test_a_date_ahead_says_which_template_the_live_release_gives(offices, company, auditor: Client):
    west = offices["West"]
    assign(company, "Winter", group=west.group, **DECEMBER)
    address = f"{HOME}senders/{west.pk}/"

    def ask(day: str) -> str:
        html = auditor.get(address, {"on": day}).content.decode()
        return text_of(html[html.index('id="on"') : html.index("Delivery history")])

    draft = ask("2026-12-24")
    publish_drafts(company.domain)

    assert "Template Always Why Inherited from the default group." in draft
    assert "Template Winter Why Assigned to the group from 1 Dec 2026 until 24 Dec 2026." in ask("2026-12-24")
    assert "Template Always Why Inherited from the default group." in ask("2026-12-25")


def test_removing_is_a_draft_and_another_domains_is_not_found(offices, company, bystander, editor: Client):
    west = offices["West"]
    mine = assign(company, "Winter", group=west.group, **DECEMBER)
    theirs = DatedAssignment.objects.create(
        domain=bystander.domain,
        template=Template.objects.filter(domain=bystander.domain).latest("pk"),
        sender=offices["theirs"],
        **DECEMBER,
    )
    publish_drafts(company.domain)

    refused = editor.post(f"{HOME}dated/{theirs.pk}/remove/")
    removed = editor.post(f"{HOME}dated/{mine.pk}/remove/")

    assert (refused.status_code, removed.status_code) == (404, 302)
    assert list(DatedAssignment.objects.all()) == [theirs]
    assert show(west, "2026-12-01") == "Winter"
    assert list_drafts(company.domain) == [f"group:{west.group_id}"]


def test_discarding_gives_dates_back_as_published(offices, company, editor: Client):
    west = offices["West"]
    assign(company, "Winter", group=west.group, **DECEMBER)
    assign(company, "Fair", sender=west, starts_on="2026-12-30")
    publish_drafts(company.domain)
    released = build_draft(company.domain)
    DatedAssignment.objects.all().delete()
    assign(company, "Fair", group=west.group, **DECEMBER)
    assert list_drafts(company.domain) == [f"group:{west.group_id}", f"person:{west.pk}"]

    discard_drafts(company.domain, list_drafts(company.domain), actor=ACTOR)

    assert list_drafts(company.domain) == []
    assert build_draft(company.domain) == released


def test_a_new_template_is_not_discarded_without_its_dates(offices, company):
    west = offices["West"]
    new = save_template(company.domain, name="New", source="<p>New</p>", actor=ACTOR).template
    assign(company, "New", group=west.group, **DECEMBER)

    with pytest.raises(DiscardRefused, match="“West” is assigned “New” in another draft"):
        discard_drafts(company.domain, [f"template:{new.pk}"], actor=ACTOR)

    assert find(company, "New").archived_at is None


def test_the_linter_names_dates_that_are_over_and_days_without_a_template(offices, company):
    west, east = offices["West"], offices["East"]
    assign(company, "Winter", group=west.group, ends_on="2026-11-26")
    assign(company, "Winter", group=east.group, ends_on="2026-11-27")

    covered = lint_groups(company.domain, build_draft(company.domain))
    assign_template(
        company.domain,
        template=None,
        group=Group.objects.get(domain=company.domain, is_default=True),
        actor=ACTOR,
    )
    uncovered = lint_groups(company.domain, build_draft(company.domain))

    assert [(one.kind, one.group.name) for one in covered] == [("over", "West")]
    assert {(one.kind, one.group.name) for one in uncovered} == {("over", "West"), ("uncovered", "East")}
