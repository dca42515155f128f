"""Members of a group: the builder without script, who would change group before saving, and what others keep."""

from __future__ import annotations

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import LedgerEntry
from signatures.models import Group, GroupMember, Sender
from signatures.releases.publish import list_drafts
from signatures.senders.group_membership import GroupRule
from signatures.senders.groups import create_group, reorder_groups, set_membership
from tests.support.campaign_pages import read
from tests.support.deliveries import publish_drafts

ADDRESS = "/domains/acme.example/groups/"
BY = "owner@acme.example"
VP = {"attribute": "title", "operator": "contains", "values": ["VP"]}
TYPED = {"name": "VPs", "c0-attribute": "title", "c0-operator": "contains", "c0-values": "VP"}


@pytest.fixture
def people(company) -> dict[str, Sender]:
    return {
        "ana": company.add("Ana Silva", teams=("Sales",), title="VP of Sales"),
        "tom": company.add("Tom Okafor", teams=("Sales",), title="Manager"),
        "eva": company.add("Eva Roth", title="Engineer"),
    }


@pytest.fixture
def vps(company, people) -> Group:
    """An empty group before all others."""
    group = create_group(company.domain, "VPs", actor=BY)
    reorder_groups(company.domain, [group.pk], actor=BY)
    publish_drafts(company.domain)
    return group


def get_winners(company) -> dict[str, str]:
    rows = Sender.objects.filter(domain=company.domain).select_related("group")
    return {sender.name: sender.group.name for sender in rows}


def test_a_group_is_created_and_its_rule_is_previewed_and_saved_without_script(
    company, bystander, people, admin: Client
):
    theirs = list(Group.objects.filter(domain=bystander.domain).values())
    created = admin.post(f"{ADDRESS}new/", {"name": "VPs"}, follow=True)
    group = Group.objects.get(domain=company.domain, name="VPs")
    page = f"{ADDRESS}{group.pk}/members/"
    assert created.redirect_chain == [(page, 302)]
    reorder_groups(company.domain, [group.pk], actor=BY)

    added = admin.post(page, {"name": "VPs", "new": "title", "add": "1"})
    assert [row.label for row in added.context["builder"].rows] == ["Job title"]
    before = get_winners(company)
    previewed = admin.post(page, TYPED | {"preview": "1"})
    text = read(previewed)
    assert "1 person, 1 change group" in text
    assert [(one.name, one.before, one.after) for one in previewed.context["page"]] == [
        ("Ana Silva", "Sales", "VPs")
    ]
    assert get_winners(company) == before

    saved = admin.post(page, TYPED | {"save": "1"}, follow=True)
    assert "1 sender changed group" in read(saved)
    group.refresh_from_db()
    assert group.rule == [VP]
    assert get_winners(company) == before | {"Ana Silva": "VPs"}
    assert f"group:{group.pk}" in list_drafts(company.domain)
    assert "Job title contains “VP”" in read(saved)
    assert list(Group.objects.filter(domain=bystander.domain).values()) == theirs


def test_people_are_included_and_excluded_by_name_and_taken_out_again(company, vps, people, admin: Client):
    page = f"{ADDRESS}{vps.pk}/members/"
    ana, tom, eva = people["ana"].pk, people["tom"].pk, people["eva"].pk

    response = admin.post(page, {"name": "VPs", "sender": "Tom Okafor", "put": "included"})
    assert [each.pk for each in response.context["form"].people["included"]] == [tom]
    response = admin.post(page, {"name": "VPs", "included": [tom, eva], "sender": "Eva", "put": "excluded"})
    lists = response.context["form"].people
    assert ([each.pk for each in lists["included"]], [each.pk for each in lists["excluded"]]) == (
        [tom],
        [eva],
    )
    response = admin.post(page, {"name": "VPs", "included": [tom], "omit": f"included-{tom}"})
    assert response.context["form"].people["included"] == []
    unknown = admin.post(page, {"name": "VPs", "sender": "Nobody", "put": "included"})
    assert unknown.context["form"].error

    admin.post(page, TYPED | {"included": [tom, eva], "excluded": [ana], "save": "1"})
    assert set(vps.included.values_list("pk", flat=True)) == {tom, eva}
    assert set(vps.excluded.values_list("pk", flat=True)) == {ana}
    assert get_winners(company) == {"Ana Silva": "Sales", "Tom Okafor": "VPs", "Eva Roth": "VPs"}


def test_people_of_another_domain_are_not_taken(company, bystanders, vps, admin: Client):
    stranger = bystanders.add("Una Okoye")

    admin.post(f"{ADDRESS}{vps.pk}/members/", {"name": "VPs", "included": [stranger.pk], "save": "1"})

    assert list(vps.included.all()) == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "Sales"}, "A group with this name exists already"),
        (TYPED | {"c0-values": ""}, "Enter a value for job title"),
        ({"name": "VPs", "teams": ["no team"]}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_saved(company, vps, admin: Client, typed, words):
    before = get_winners(company)

    response = admin.post(f"{ADDRESS}{vps.pk}/members/", typed | {"save": "1"})

    assert response.status_code == 422
    assert words in read(response)
    assert (get_winners(company), list_drafts(company.domain)) == (before, [])


def test_a_team_more_makes_its_people_members(company, vps, people, admin: Client):
    admin.post(f"{ADDRESS}{vps.pk}/members/", {"name": "VPs", "teams": ["Sales"], "save": "1"})

    assert get_winners(company) == {"Ana Silva": "VPs", "Tom Okafor": "VPs", "Eva Roth": "Default group"}


def test_a_group_is_archived_and_restored_and_one_of_a_team_is_not(company, vps, people, admin: Client):
    set_membership(vps, GroupRule(vps.pk, "VPs", rule=(VP,)), actor=BY)
    sales = Group.objects.get(domain=company.domain, name="Sales")

    admin.post(f"{ADDRESS}{vps.pk}/archive/")
    assert get_winners(company)["Ana Silva"] == "Sales"
    assert "Restore VPs" in admin.get(ADDRESS).content.decode()
    admin.post(f"{ADDRESS}{vps.pk}/restore/")
    assert get_winners(company)["Ana Silva"] == "VPs"
    refused = admin.post(f"{ADDRESS}{sales.pk}/archive/", follow=True)
    assert "is archived when Outreach removes the team" in read(refused)
    sales.refresh_from_db()
    assert sales.archived_at is None


def test_the_sender_page_says_which_groups_and_why(company, vps, people, admin: Client):
    set_membership(vps, GroupRule(vps.pk, "VPs", rule=(VP,)), actor=BY)

    page = read(admin.get(f"/domains/acme.example/senders/{people['ana'].pk}/"))

    assert "Member of “VPs”: Job title contains “VP”. It has priority over “Sales”." in page


def test_checks_name_groups_that_never_win_or_are_empty_and_whom_none_reaches(company, vps, people, admin):
    domain, tom = company.domain, people["tom"].pk
    last = create_group(domain, "Managers", actor=BY)
    rule = {"attribute": "title", "operator": "contains", "values": ["manager", "vp"]}
    set_membership(last, GroupRule(last.pk, "Managers", rule=(rule,)), actor=BY)
    set_membership(vps, GroupRule(vps.pk, "VPs", included=(tom,), excluded=(tom,)), actor=BY)

    findings = admin.get(f"{ADDRESS}checks/").context["findings"]

    assert [(one.group.name, one.kind, one.number) for one in findings] == [
        ("VPs", "empty", 0),
        ("VPs", "contradiction", 1),
        ("Managers", "never_wins", 2),
        ("Default group", "reached_by_none", 1),
    ]


def test_the_list_of_groups_takes_as_many_queries_for_five_as_for_fifty(company, people, admin: Client):
    def count() -> int:
        with CaptureQueriesContext(database) as queries:
            assert admin.get(ADDRESS).status_code == 200
        return len(queries)

    def add(number: int) -> None:
        for index in range(number):
            group = create_group(company.domain, f"Group {number} {index}", actor=BY)
            Group.objects.filter(pk=group.pk).update(rule=[VP])

    add(5)
    count()
    few = count()
    add(45)

    assert count() == few


def test_what_is_kept_of_a_change_names_no_person(company, vps, people, admin: Client):
    admin.post(f"{ADDRESS}{vps.pk}/members/", TYPED | {"included": [people["tom"].pk], "save": "1"})

    entry = LedgerEntry.objects.filter(domain=company.domain, action="group members changed").latest("pk")
    assert entry.detail == "0 teams, 1 included, 0 excluded, 1 conditions"
    assert GroupMember.objects.filter(sender=people["tom"], group=vps).count() == 0  # not published yet
