"""The order of campaigns: where a new one is placed, and that a person's number stands."""

from __future__ import annotations

import pytest
from django.test import Client

from portal.models import Domain
from signatures.campaigns.ruleset import load_ruleset
from signatures.models import Campaign, Group
from tests.support.campaign_pages import PAGE
from tests.support.campaigns import make_campaign

NEW = {
    "starts_at": "2027-03-01T09:00",
    "ends_at": "2027-03-31T18:00",
    "priority": "",
    "utm_source": "outreach",
    "utm_medium": "email-signature",
}
TITLE = {"c0-attribute": "title", "c0-operator": "contains", "c0-values": "VP", "save": "1"}


def create(editor: Client, name: str, **given: object) -> Campaign:
    response = editor.post(f"{PAGE}new/", NEW | {"name": name} | given)
    assert response.status_code == 302
    return Campaign.objects.get(name=name)


def set_audience(editor: Client, campaign: Campaign, **given: str) -> None:
    assert editor.post(f"{PAGE}{campaign.pk}/audience/", given).status_code == 302


def get_order(domain: Domain) -> list[str]:
    return [rule.name for rule in load_ruleset(domain).campaigns]


@pytest.fixture
def theirs(other_domain: Domain) -> Campaign:
    return make_campaign(other_domain, name="Theirs", priority=900)


def test_a_targeted_campaign_is_placed_above_those_for_everybody_and_moves_none(
    company, domain, theirs, editor: Client
):
    everybody = make_campaign(domain, name="Everybody", priority=7)
    chosen = make_campaign(domain, name="Chosen last by hand", priority=-50)
    sales = Group.objects.filter(domain=domain).first()

    create(editor, "By group", groups=[sales.pk])
    by_audience = create(editor, "By audience")
    assert get_order(domain)[-1] == "Chosen last by hand"
    set_audience(editor, by_audience, **TITLE)
    create(editor, "Another for everybody")

    assert get_order(domain) == [
        "By group", "By audience", "Everybody", "Another for everybody", "Chosen last by hand",
    ]  # fmt: skip
    for row, priority in ((everybody, 7), (chosen, -50), (theirs, 900)):
        row.refresh_from_db()
        assert row.priority == priority


def test_a_campaign_for_everybody_is_placed_below_targeted_ones_also_without_its_audience(
    company, domain, theirs, editor: Client
):
    targeted = make_campaign(
        domain, name="Targeted", priority=-4, groups=Group.objects.filter(domain=domain)[:1]
    )

    new = create(editor, "New")
    assert get_order(domain) == ["Targeted", "New"]
    set_audience(editor, new, **TITLE)
    assert new.priority == -5
    new.refresh_from_db()
    assert (new.priority, new.has_automatic_priority) == (0, True)
    set_audience(editor, new, save="1")

    assert get_order(domain) == ["Targeted", "New"]
    targeted.refresh_from_db()
    assert targeted.priority == -4


def test_a_priority_that_a_person_set_stands_until_they_empty_it(company, domain, theirs, editor: Client):
    make_campaign(domain, name="Everybody", priority=7)
    new = create(editor, "New", priority="2")
    set_audience(editor, new, **TITLE)
    new.refresh_from_db()
    assert (new.priority, new.has_automatic_priority) == (2, False)

    page = f"{PAGE}{new.pk}/change/"
    assert editor.get(page).context["form"]["priority"].value() == 2
    editor.post(page, NEW | {"name": "New"})
    new.refresh_from_db()
    assert (new.priority, new.has_automatic_priority) == (8, True)
    assert editor.get(page).context["form"]["priority"].value() is None
    make_campaign(domain, name="Louder", priority=20)
    editor.post(page, NEW | {"name": "Renamed"})
    new.refresh_from_db()
    assert (new.name, new.priority) == ("Renamed", 8)  # placed once, it stays
    editor.post(page, NEW | {"name": "Renamed", "priority": "8"})
    new.refresh_from_db()
    assert (new.priority, new.has_automatic_priority) == (8, False)
    assert get_order(theirs.domain) == ["Theirs"]
