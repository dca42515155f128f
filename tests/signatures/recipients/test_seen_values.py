"""Tags, stages and personas that look-ups saw: offered in the builder, and of whom nothing is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Role
from signatures.audiences.seen_values import DAYS, MOST, note_values
from signatures.models import AttributeLabel, SeenValue
from signatures.recipients.retention import remove_expired
from tests.support.campaign_pages import PAGE, read
from tests.support.campaigns import make_campaign
from tests.support.look_ups import ask


@pytest.fixture
def editor(domain, make_member) -> Client:
    client = Client()
    client.force_login(make_member(domain, Role.EDITOR))
    return client


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("reads_beside_writers", "look_ups_end", "prospect", "no_look_up_left_behind")
def test_a_tag_that_a_look_up_saw_is_offered_and_taken_without_script(
    domain, other_domain, known_how, campaign, editor
):
    SeenValue.objects.create(
        domain=other_domain, attribute="tags", value="theirs", seen_on=timezone.now().date()
    )
    chosen = campaign("Renewals", ("tags", "has_any", ["other"]))
    ask(domain)

    assert list(SeenValue.objects.filter(domain=domain).values_list("attribute", "value")) == [
        ("tags", "renewal")
    ]
    address = f"{PAGE}{chosen.pk}/audience/"
    page = read(editor.get(address))
    assert '<datalist id="c0-offers"><option value="renewal"></option></datalist>' in page
    assert "theirs" not in page
    typed = {"c0-attribute": "tags", "c0-operator": "has_any", "c0-values": ["other", "renewal"], "save": "1"}
    assert editor.post(address, typed).status_code == 302
    chosen.refresh_from_db()
    assert chosen.audience[0]["values"] == ["other", "renewal"]


def test_stages_are_offered_by_label_and_owners_by_address(company, domain, other_domain, editor):
    company.add("Ana Silva")
    AttributeLabel.objects.create(domain=domain, kind="stage", key="12", label="Negotiation")
    note_values(
        domain, {"stage": ["12", "13"], "title": ["VP of Kim"], "tags": ["kim@partner.example", "x" * 81]}
    )
    note_values(other_domain, {"stage": ["77"]})

    new = f"{PAGE}{make_campaign(domain).pk}/audience/"
    offers = {
        name: editor.post(new, {"new": name, "add": "1"}).context["builder"].rows[0].offers
        for name in ("stage", "owner", "title", "tags", "email_domain")
    }

    assert offers == {
        "stage": ["Negotiation", "13"], "owner": ["person1@acme.example"], "title": [], "tags": [],
        "email_domain": [],
    }  # fmt: skip


def test_values_are_bounded_and_go_when_no_look_up_sees_them_any_more(domain, other_domain, time_machine):
    for first in range(0, MOST + 40, 40):
        note_values(domain, {"tags": [f"tag {number:03}" for number in range(first, first + 40)]})
    note_values(other_domain, {"tags": ["theirs"]})
    assert SeenValue.objects.filter(domain=domain).count() == MOST
    assert SeenValue.objects.filter(domain=other_domain).count() == 1

    time_machine.move_to(timezone.now() + timedelta(days=DAYS + 1), tick=False)
    note_values(domain, {"tags": ["tag 007"]})
    remove_expired()

    assert [row.value for row in SeenValue.objects.all()] == ["tag 007"]
