"""Groups: their order is who wins, and moving one is a form that needs no script."""

from __future__ import annotations

import re

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from signatures.models import Assignment, Group, Sender, Template

ADDRESS = "/domains/acme.example/groups/"


def order(company) -> list[str]:
    rows = Group.objects.filter(domain=company.domain, is_default=False).order_by("position")
    return list(rows.values_list("name", flat=True))


@pytest.fixture
def three(company) -> dict[str, Group]:
    """Three groups, first to last: Ant, Bee and Cat; Ana Silva is in the teams of the first two."""
    company.add("Ana Silva", teams=("Ant", "Bee"))
    company.add("Tom Okafor", teams=("Cat",))
    return {group.name: group for group in Group.objects.filter(domain=company.domain, is_default=False)}


def test_groups_are_listed_in_their_order_with_the_default_one_last(company, three, auditor: Client):
    groups = auditor.get(ADDRESS).context["groups"]

    assert [(group.name, group.sender_count) for group in groups] == [
        ("Ant", 1),
        ("Bee", 0),
        ("Cat", 1),
        ("Default group", 0),
    ]


def test_groups_come_fifty_to_a_page_and_go_on_counting(company, bystander, three, admin: Client):
    Group.objects.bulk_create(
        Group(domain=company.domain, name=f"Dog {number:02}", position=10 + number) for number in range(52)
    )

    first, second = (admin.get(f"{ADDRESS}?page={number}") for number in (1, 2))

    assert [len(page.context["groups"]) for page in (first, second)] == [50, 6]
    words = second.content.decode()
    places = re.findall(r'name="place" min="1" value="(\d+)"', words)
    assert places == ["51", "52", "53", "54", "55"]
    closed = (
        re.findall(r'aria-label="(Move [^"]*)"\s*disabled', first.content.decode()),
        re.findall(r'aria-label="(Move [^"]*)"\s*disabled', words),
    )
    assert closed == (["Move Ant up"], ["Move Dog 51 down"])
    assert "Bystanders" not in words


@pytest.mark.parametrize(
    ("moved", "form", "expected"),
    [
        ("Bee", {"to": "up"}, ["Bee", "Ant", "Cat"]),
        ("Bee", {"to": "down"}, ["Ant", "Cat", "Bee"]),
        ("Ant", {"to": "up"}, ["Ant", "Bee", "Cat"]),
        ("Cat", {"to": "down"}, ["Ant", "Bee", "Cat"]),
        ("Cat", {"to": "place", "place": "1"}, ["Cat", "Ant", "Bee"]),
        ("Ant", {"to": "place", "place": "99"}, ["Bee", "Cat", "Ant"]),
        ("Bee", {"to": "place", "place": "0"}, ["Ant", "Bee", "Cat"]),
        ("Bee", {"to": "place"}, ["Ant", "Bee", "Cat"]),
        ("Bee", {"to": "sideways"}, ["Ant", "Bee", "Cat"]),
    ],
)
def test_a_group_moves_to_where_it_was_sent(company, bystander, three, admin: Client, moved, form, expected):
    theirs = list(Group.objects.filter(domain=bystander.domain).values_list("pk", "position"))

    response = admin.post(f"{ADDRESS}{three[moved].pk}/move/", form)

    assert (response.status_code, response["Location"]) == (302, ADDRESS)
    assert order(company) == expected
    assert list(Group.objects.filter(domain=bystander.domain).values_list("pk", "position")) == theirs


def test_moving_a_group_first_gives_it_the_people_who_are_in_both(company, three, admin: Client):
    response = admin.post(f"{ADDRESS}{three['Bee'].pk}/move/", {"to": "up"}, follow=True)

    assert {
        s.name: s.group.name for s in Sender.objects.filter(domain=company.domain).select_related("group")
    } == {
        "Ana Silva": "Bee",
        "Tom Okafor": "Cat",
    }
    assert "“Bee” now has priority 1, as a draft. 1 sender changed group." in response.content.decode()


def test_what_was_saved_as_a_draft_is_said_in_one_paragraph_with_the_link(company, three, admin: Client):
    page = admin.post(f"{ADDRESS}{three['Bee'].pk}/move/", {"to": "up"}, follow=True).content.decode()

    said = re.search(
        r'<ul class="messages">\s*<li class="note success"><p>(.*?)</p></li>\s*</ul>', page, re.S
    )
    assert said
    assert "<p>" not in said[1]
    assert said[1].endswith('published: <a href="/domains/acme.example/releases/">Unpublished changes</a>.')


def test_the_default_group_cannot_be_moved(company, three, admin: Client):
    admin.post(f"{ADDRESS}{Group.objects.get(domain=company.domain, is_default=True).pk}/move/", {"to": "up"})

    assert order(company) == ["Ant", "Bee", "Cat"]


def test_a_template_is_assigned_to_one_group_and_taken_away_again(company, three, admin: Client):
    card = Template.objects.get(domain=company.domain, name="Card")
    before = set(Assignment.objects.values_list("group__name", "template__name"))

    admin.post(f"{ADDRESS}{three['Ant'].pk}/template/", {"template": card.pk})
    assert set(Assignment.objects.values_list("group__name", "template__name")) == before | {("Ant", "Card")}

    admin.post(f"{ADDRESS}{three['Ant'].pk}/template/", {"template": ""})
    assert set(Assignment.objects.values_list("group__name", "template__name")) == before


def test_the_page_of_a_group_lists_its_people_and_no_others(company, three, auditor: Client):
    page = auditor.get(f"{ADDRESS}{three['Ant'].pk}/")

    assert [sender.name for sender in page.context["page_obj"]] == ["Ana Silva"]
    assert (page.context["rank"], page.context["ranked"]) == (1, 3)


@pytest.mark.parametrize("address", ["", "group"])
def test_both_pages_run_as_many_queries_for_three_as_for_one(company, auditor: Client, address: str):
    company.add("Ana Silva", teams=("Ant",))
    ant = Group.objects.get(domain=company.domain, name="Ant")
    path = f"{ADDRESS}{ant.pk}/" if address else ADDRESS
    auditor.get(path)
    with CaptureQueriesContext(database) as for_one:
        auditor.get(path)
    company.add("Tom Okafor", teams=("Ant", "Bee"))
    company.add("Noor Haddad", teams=("Ant", "Cat"))

    with CaptureQueriesContext(database) as for_three:
        auditor.get(path)

    assert len(for_three) == len(for_one)


def test_a_domain_without_groups_says_what_brings_them(domain, auditor: Client):
    assert "Outreach is not connected yet" in auditor.get(ADDRESS).content.decode()


@pytest.mark.parametrize("action", ["", "move/", "template/"])
def test_a_group_of_another_domain_answers_as_one_that_does_not_exist(
    company, bystander, admin: Client, action: str
):
    theirs = Group.objects.get(domain=bystander.domain, name="Bystanders")
    send = admin.post if action else admin.get

    stranger, nobody = send(f"{ADDRESS}{theirs.pk}/{action}"), send(f"{ADDRESS}987654321/{action}")

    assert (stranger.status_code, nobody.status_code) == (404, 404)
    assert stranger.content == nobody.content


def test_only_who_edits_signatures_may_move_or_assign(company, three, auditor: Client):
    assert auditor.post(f"{ADDRESS}{three['Bee'].pk}/move/", {"to": "up"}).status_code == 403
    assert auditor.post(f"{ADDRESS}{three['Bee'].pk}/template/", {"template": ""}).status_code == 403
    assert "Move" not in auditor.get(ADDRESS).content.decode()
    assert order(company) == ["Ant", "Bee", "Cat"]
