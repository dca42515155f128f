"""Template choice: a group's page previews a template before it is assigned; a template's page assigns it to groups."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.models import Assignment, Group, Template

ADDRESS = "/domains/acme.example/"


@pytest.fixture
def groups(company, bystander) -> dict[str, Group]:
    """The groups Ant, Bee and the default one; Ana Silva is in Ant, Tom Okafor in Bee."""
    company.add("Ana Silva", teams=("Ant",))
    company.add("Tom Okafor", teams=("Bee",))
    return {group.name: group for group in Group.objects.filter(domain=company.domain)}


@pytest.fixture
def templates(company) -> dict[str, Template]:
    return {one.name: one for one in Template.objects.filter(domain=company.domain)}


def assigned() -> set[tuple[str, str, str]]:
    return set(Assignment.objects.values_list("domain__name", "group__name", "template__name"))


def frame_of(page: str) -> str:
    [src] = re.findall(r'<iframe[^>]* src="([^"]*)"', page)
    return src.replace("&amp;", "&")


def test_a_chosen_template_is_previewed_as_a_person_of_the_group_and_not_assigned(
    groups, templates, admin: Client
):
    before = assigned()

    page = admin.get(
        f"{ADDRESS}groups/{groups['Ant'].pk}/", {"template": templates["Card"].pk}
    ).content.decode()

    assert f"version={templates['Card'].current_id}&sender=person1%40acme.example" in frame_of(page)
    assert "Ana Silva" in admin.get(frame_of(page)).content.decode()
    assert "Assign Card to" in page
    assert f'<input type="hidden" name="template" value="{templates["Card"].pk}">' in page
    assert assigned() == before


def test_what_a_group_inherits_is_previewed_until_another_is_chosen(groups, templates, admin: Client):
    page = admin.get(f"{ADDRESS}groups/{groups['Ant'].pk}/").content.decode()

    assert f"version={templates['Letterhead'].current_id}&" in frame_of(page)
    assert "In use. Choose another template" in page


def test_a_group_without_people_is_previewed_as_a_sample_sender(groups, templates, admin: Client):
    page = admin.get(f"{ADDRESS}groups/{groups['Default group'].pk}/").content.decode()

    assert frame_of(page).endswith(f"version={templates['Letterhead'].current_id}&sender=")
    assert "Letterhead, sample sender" in page


@pytest.mark.parametrize("used", ["Plain line", "Letterhead", None])
def test_the_template_in_use_is_listed_first(company, groups, templates, admin: Client, used):
    template = templates[used] if used else None
    if template:
        Assignment.objects.create(domain=company.domain, group=groups["Ant"], template=template)

    field = admin.get(f"{ADDRESS}groups/{groups['Ant'].pk}/").context["choice"].fields["template"]

    others = [name for name in ("Inherited (default)", "Card", "Letterhead", "Plain line") if name != used]
    assert [label for _, label in field.choices] == ([used] if used else []) + others


@pytest.mark.parametrize("chosen", ["theirs", "987654321", "x"])
def test_a_template_that_cannot_be_chosen_is_not_previewed(
    company, bystander, groups, templates, admin: Client, chosen
):
    theirs = Template.objects.get(domain=bystander.domain, name="Card")

    page = admin.get(
        f"{ADDRESS}groups/{groups['Ant'].pk}/", {"template": theirs.pk if chosen == "theirs" else chosen}
    )

    assert page.status_code == 200
    assert f"version={templates['Letterhead'].current_id}&" in frame_of(page.content.decode())
    assert "Select a valid choice" in page.content.decode()


def test_who_may_not_manage_groups_sees_the_preview_and_no_choice(groups, auditor: Client):
    page = auditor.get(f"{ADDRESS}groups/{groups['Ant'].pk}/").content.decode()

    assert "Ana Silva" in auditor.get(frame_of(page)).content.decode()
    assert "<select" not in page
    assert 'name="template"' not in page


def test_a_template_is_assigned_to_several_groups_from_its_page(groups, templates, admin: Client):
    before, card = assigned(), templates["Card"]
    path = f"{ADDRESS}templates/{card.pk}/"

    page = admin.post(
        f"{path}groups/", {"groups": [groups["Ant"].pk, groups["Default group"].pk]}, follow=True
    )

    assert assigned() == (before - {("acme.example", "Default group", "Letterhead")}) | {
        ("acme.example", "Ant", "Card"),
        ("acme.example", "Default group", "Card"),
    }
    assert "“Card” assigned to “Ant”, “Default group” as a draft." in page.content.decode()
    assert [str(group) for group in page.context["groups"]] == ["Ant", "Default group"]
    labels = [label for _, label in page.context["choice"].fields["groups"].choices]
    assert labels == ["Bee (now inherited)"]
    acts = LedgerEntry.objects.filter(action="template assigned").values_list("detail", flat=True)
    assert sorted(acts)[:2] == ["Card to group Ant", "Card to group Default group"]


@pytest.mark.parametrize("chosen", ["none", "theirs", "archived", "x"])
def test_a_group_that_cannot_be_chosen_gets_nothing(
    company, bystander, groups, templates, admin: Client, chosen
):
    Group.objects.filter(pk=groups["Bee"].pk).update(archived_at=company.at)
    before = assigned()
    theirs = Group.objects.filter(domain=bystander.domain, is_default=False).first()
    asked = {"none": [], "theirs": [theirs.pk], "archived": [groups["Bee"].pk], "x": ["x"]}[chosen]

    path = f"{ADDRESS}templates/{templates['Card'].pk}/groups/"
    page = admin.post(path, {"groups": [*asked, *([groups["Ant"].pk] if asked else [])]}, follow=True)

    assert "Select at least one group. Nothing was assigned." in page.content.decode()
    assert assigned() == before


def test_an_auditor_sees_where_a_template_is_assigned_and_cannot_assign_it(
    groups, templates, auditor: Client
):
    path = f"{ADDRESS}templates/{templates['Letterhead'].pk}/"

    page = auditor.get(path).content.decode()

    assert "Assigned to" in page
    assert "Assign to selected groups" not in page
    assert auditor.post(f"{path}groups/", {"groups": groups["Ant"].pk}).status_code == 403
