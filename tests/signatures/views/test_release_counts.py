"""Release counts: the mailboxes that a release changes, apart from those that wait already, and few are looked at."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signatures.authoring.templates import assign_template
from signatures.delivery.left_alone import leave_alone
from signatures.delivery.status import refresh_domain
from signatures.models import DeliveryRun, Group, LeftAloneWhy, Placement, Release, Sender, Template
from signatures.releases.publish import list_drafts
from signatures.senders import company_size
from signatures.senders.group_membership import GroupRule
from signatures.senders.groups import create_group, set_membership
from signatures.senders.values import set_own_values
from tests.support.company import Company
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import ADDRESS, edit_brand, edit_template, read_causes, read_form, text_of

BY = "lena@acme.example"
VP = {"attribute": "title", "operator": "contains", "values": ["VP"]}


def add_vps(company: Company) -> Group:
    group = create_group(company.domain, "VPs", actor=BY)
    Group.objects.filter(pk=group.pk).update(position=0)
    set_membership(group, GroupRule(group.pk, "VPs", rule=(VP,)), actor=BY)
    publish_drafts(company.domain)
    return group


@pytest.fixture
def vps(published: Company, bystander: Company, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A group by a rule in a company too large to be rendered for a page; all hold what is live but one.

    Vera and Vic are in it, and Walt, who is in the team West with Tom; Ana, Ben and Cem are in no group. Nothing
    is delivered to Ben.
    """
    group = add_vps(published)
    add_vps(bystander)
    bystander.add("Bob Bystander", title="VP")
    for name, title, teams in (
        ("Vera Roth", "VP of Sales", ()),
        ("Vic Lund", "VP of Nothing", ()),
        ("Walt Berg", "VP West", ("West",)),
        ("Ben Holm", "", ()),
        ("Cem Kaya", "Engineer", ()),
    ):
        sender = published.add(name, title=title, teams=teams)
        if name == "Ben Holm":
            leave_alone(published.connection, [("m6", sender.email, "")], why=LeftAloneWhy.RESTORED, actor=BY)
    deliver_all(published)
    refresh_domain(published.domain)
    monkeypatch.setattr(company_size, "AT_ONCE", 1)
    group.refresh_from_db()
    return group


def find(company: Company, name: str) -> Sender:
    return company.domain.senders.get(name=name)


def read_outlook(html: str) -> tuple[int, int, int]:
    """Return how many mailboxes would change, how many are up to date and how many left alone."""
    words = text_of(html)
    found = [
        re.search(pattern, words)
        for pattern in (r"to at most (\d+) mailbox", r"(\d+) up to date", r"(\d+) left alone")
    ]
    return tuple(int(each[1]) for each in found if each)


def read_waiting(html: str) -> tuple[str, ...]:
    """Return what the page says of the mailboxes that change and wait, and of the button and the calls."""
    words = text_of(html)
    patterns = (
        r"Change ((?:At most )?\d+) mailbox",
        r"mailbox(?:es)? (\d+) of them waits? for a delivery already",
        r"Waiting already ((?:At least )?\d+) mailbox",
        r"Publish release \d+ to (.*?) mailbox",
        r"API calls ((?:At most )?\d+);",
    )
    return tuple(found[1] if (found := re.search(pattern, words)) else "" for pattern in patterns)


def change_west(company: Company) -> None:
    """Draft another template for the group that Tom is in, and nobody else."""
    west = Group.objects.get(domain=company.domain, name="West")
    assign_template(company.domain, template=edit_template(company.domain), group=west, actor=BY)


def deliver_all(company: Company) -> None:
    for sender in company.domain.senders.all():
        company.place(sender)


@pytest.fixture(params=["rendered", "counted"])
def delivered(published: Company, bystander: Company, monkeypatch: pytest.MonkeyPatch, request) -> str:
    """All hold what is live: in a company whose signatures are rendered for a page, and in a larger one."""
    deliver_all(published)
    if request.param == "counted":
        monkeypatch.setattr(company_size, "AT_ONCE", 1)
    return "" if request.param == "rendered" else "At most "


def test_a_mailbox_that_waits_for_a_new_value_is_not_counted_as_changed_by_a_release(
    published, delivered, admin: Client
):
    set_own_values(find(published, "Ana Silva"), {"sender.title": "Director"}, actor=BY)
    refresh_domain(published.domain)
    change_west(published)

    page = admin.get(ADDRESS).content.decode()
    edit_brand(published.domain, name="Acme of tomorrow")
    with_brand = admin.get(ADDRESS).content.decode()

    least = delivered and "At least "
    assert read_waiting(page) == (f"{delivered}1", "", f"{least}1", f"{delivered.lower()}1", f"{delivered}4")
    assert read_waiting(with_brand) == (f"{delivered}2", "1", "", f"{delivered.lower()}2", f"{delivered}4")


def test_the_plan_writes_what_changes_and_what_waits_as_the_page_says(published, bystander, admin: Client):
    deliver_all(published)
    set_own_values(find(published, "Ana Silva"), {"sender.title": "Director"}, actor=BY)
    refresh_domain(published.domain)
    change_west(published)
    page = admin.get(ADDRESS).content.decode()

    admin.post(f"{ADDRESS}publish/", read_form(page))

    assert read_waiting(page) == ("1", "", "1", "1", "4")
    run = DeliveryRun.objects.get()
    assert sorted(run.deliveries.values_list("sender__name", flat=True)) == ["Ana Silva", "Tom Okafor"]


def test_mailboxes_that_wait_for_an_earlier_release_are_told_apart(published, delivered, admin: Client):
    edit_brand(published.domain, name="Acme of tomorrow")
    publish_drafts(published.domain)
    refresh_domain(published.domain)
    change_west(published)

    page = admin.get(ADDRESS).content.decode()
    nothing = admin.get(f"{ADDRESS}?{urlencode([('leave', key) for key in list_drafts(published.domain)])}")

    least = delivered and "At least "
    assert read_waiting(page) == (f"{delivered}1", "1", f"{least}1", f"{delivered.lower()}1", f"{delivered}4")
    assert read_waiting(nothing.content.decode()) == (
        f"{delivered}0",
        "",
        f"{least}2",
        f"{delivered.lower()}0",
        f"{delivered}4",
    )


def test_a_value_that_is_published_with_a_release_changes_its_senders_mailbox(
    published, delivered, admin: Client
):
    set_own_values(find(published, "Ana Silva"), {"sender.title": "Director"}, actor=BY, waits=True)

    page = admin.get(ADDRESS).content.decode()

    assert read_waiting(page) == (f"{delivered}1", "", "", f"{delivered.lower()}1", f"{delivered}2")


def test_nothing_waits_before_anything_is_published(published, delivered, admin: Client):
    Release.objects.all().delete()
    Placement.objects.filter(domain=published.domain).delete()
    refresh_domain(published.domain)

    page = admin.get(ADDRESS).content.decode()

    assert read_waiting(page) == (f"{delivered}2", "", "", f"{delivered.lower()}2", f"{delivered}4")


def test_a_group_by_a_rule_changes_the_mailboxes_of_whom_it_matches(published, vps, admin: Client):
    template = Template.objects.get(domain=published.domain, name="Plain line")
    assign_template(published.domain, template=template, group=vps, actor=BY)

    html = admin.get(ADDRESS).content.decode()

    assert read_causes(html) == {"VPs Group": ("3", "VPs", "3")}
    assert read_outlook(html) == (3, 3, 1)


def test_drafts_of_several_kinds_are_told_apart(published, vps, admin: Client):
    """The brand, a team's group, its template and a value of somebody whom no rule matches yet."""
    west = Group.objects.get(domain=published.domain, name="West")
    assign_template(published.domain, template=edit_template(published.domain), group=west, actor=BY)
    set_own_values(find(published, "Cem Kaya"), {"sender.title": "VP"}, actor=BY, waits=True)
    edit_brand(published.domain, name="Acme")

    html = admin.get(ADDRESS).content.decode()
    without_brand = admin.get(f"{ADDRESS}?leave=brand").content.decode()

    assert read_causes(html) == {
        "Brand settings Brand": ("6", "All", "4"),
        "Plain line Template": ("1", "West", "0"),
        "West Group": ("1", "West", "0"),
        "Values of 1 person": ("1", "Default group", "0"),
    }
    assert read_outlook(html) == (6, 0, 1)
    assert read_causes(without_brand)["Values of 1 person"] == ("1", "Default group", "1")
    assert read_outlook(without_brand) == (2, 4, 1)


def test_a_rule_that_matches_others_changes_who_comes_and_who_goes(published, vps, admin: Client):
    template = Template.objects.get(domain=published.domain, name="Plain line")
    assign_template(published.domain, template=template, group=vps, actor=BY)
    publish_drafts(published.domain)
    Placement.objects.filter(domain=published.domain).delete()
    deliver_all(published)
    engineers = {"attribute": "title", "operator": "contains", "values": ["Engineer", "VP West"]}
    set_membership(vps, GroupRule(vps.pk, "VPs", rule=(engineers,)), actor=BY)

    html = admin.get(ADDRESS).content.decode()

    assert read_causes(html) == {"VPs Group": ("3", "VPs, Default group", "3")}
    assert read_outlook(html) == (3, 3, 1)


def test_a_value_changed_since_reads_one_person_and_the_mailboxes_of_whom_the_drafts_touch(
    published, vps, admin: Client
):
    template = Template.objects.get(domain=published.domain, name="Plain line")
    assign_template(published.domain, template=template, group=vps, actor=BY)
    admin.get(ADDRESS)
    set_own_values(find(published, "Cem Kaya"), {"sender.title": "Chemist"}, actor=BY)
    refresh_domain(published.domain)

    with CaptureQueriesContext(database) as queries:
        html = admin.get(ADDRESS).content.decode()

    assert read_causes(html) == {"VPs Group": ("3", "VPs", "3")}
    reading = [one["sql"] for one in queries if '"integrations_person"."title"' in one["sql"]]
    assert ['"changed_at" >= ' in one for one in reading] == [True]
    (asked,) = (
        found[1] for one in queries if (found := re.search(r'"sender_id" IN \(([\d, ]+)\)', one["sql"]))
    )
    vice_presidents = {find(published, name).pk for name in ("Vera Roth", "Vic Lund", "Walt Berg")}
    assert {int(each) for each in asked.split(",")} == vice_presidents
