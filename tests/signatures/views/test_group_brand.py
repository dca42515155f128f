"""Company values that differ for a group, and disclaimers with dates: drafts, then what its mailboxes show."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from integrations.models import LedgerEntry
from signatures.authoring.discard import discard_drafts
from signatures.authoring.templates import assign_template, save_template
from signatures.models import Brand, Disclaimer, FieldSetting, Group, MailboxState, Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts
from signatures.tasks import note_statuses
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import text_of

HOME = "/domains/acme.example/"
SOURCE = (
    "<p>{{ sender.name }}</p><p>{{ company.name }}</p><p>{{ company.address }}</p><p>{{ company.legal }}</p>"
)


@pytest.fixture
def offices(company, bystander) -> dict[str, Sender]:
    """Two offices that share one template, published; a sender of another domain with the same template."""
    for other, name, address in ((company, "Acme", "1 Harbour Row"), (bystander, "Acme", "9 Elsewhere")):
        template = save_template(
            other.domain, name="Shared", source=SOURCE, actor="lena@acme.example"
        ).template
        default = Group.objects.get(domain=other.domain, is_default=True)
        assign_template(other.domain, template=template, group=default, actor="lena@acme.example")
        Brand.objects.update_or_create(
            domain=other.domain, defaults={"name": name, "address": address, "legal": "Acme Inc."}
        )
    return {
        "West": company.add("Ana Silva", teams=("West",)),
        "East": company.add("Tom Okafor", teams=("East",)),
        "theirs": bystander.add("Kim Theirs", teams=("West",)),
    }


def show(sender: Sender, day: date | None = None) -> str:
    composed = Composer(sender.domain, get_live_content(sender.domain), day=day).compose(sender)
    assert isinstance(composed, Composed), composed
    return composed.rendered.text


def read_statuses() -> dict[str, str]:
    placed = MailboxState.objects.exclude(sender__name="Bea Bystander")
    return dict(placed.values_list("sender__name", "status"))


def page_of(sender: Sender) -> str:
    return f"{HOME}groups/{sender.group_id}/brand/"


def test_two_offices_share_a_template_and_have_an_address_of_their_own(offices, editor: Client):
    west, east, theirs = offices["West"], offices["East"], offices["theirs"]
    before = {name: show(sender) for name, sender in offices.items()}

    response = editor.post(page_of(west), {"address": "18 Pine Street", "none_legal": "on"})

    assert (response.status_code, response["Location"]) == (302, page_of(west))
    assert {name: show(sender) for name, sender in offices.items()} == before  # a draft
    assert list_drafts(west.domain) == [f"group:{west.group_id}"]
    page = editor.get(f"{HOME}releases/").content.decode()
    assert "<ins>18 Pine Street</ins>" in page and "<del>The company’s</del>" in page
    entry = LedgerEntry.objects.get(action="group values changed")
    assert (entry.object_ref, entry.detail) == ("West", "address, legal")

    publish_drafts(west.domain)

    assert show(west).splitlines() == ["Ana Silva", "Acme", "18 Pine Street"]
    assert (show(east), show(theirs)) == (before["East"], before["theirs"])


def read_people(client: Client, query: str = "") -> dict[str, str]:
    """Return who would change, and what."""
    html = client.get(f"{HOME}releases/people/{query}").content.decode()
    rows = re.findall(r'<th scope="row">(.*?)</th>.*?data-label="What changes">(.*?)</td>', html, re.S)
    return {text_of(name): text_of(what) for name, what in rows}


def test_who_would_change_names_a_groups_own_brand_and_the_people_of_that_group(offices, editor: Client):
    west = offices["West"]
    editor.post(page_of(west), {"address": "18 Pine Street", "none_legal": "on"})
    editor.post(f"{page_of(west)}disclaimers/add/", {"text": "West fair", "ends_on": date(2099, 1, 1)})

    people = read_people(editor)
    everybody = read_people(editor, "?all=1")
    page = editor.get(f"{HOME}releases/people/{west.pk}/").content.decode()
    without = read_people(editor, f"?leave=group:{west.group_id}")

    ours = (
        "Brand of West Address The company’s 18 Pine Street ; Disclaimer The company’s None ; "
        "Dated disclaimer Until 1 Jan 2099: West fair"
    )
    assert people == {"Ana Silva": ours}
    assert everybody == {"Ana Silva": ours, "Tom Okafor": ""}
    assert re.search(r"<dt>Brand of West</dt>", page)
    assert without == {}


def test_who_would_change_names_what_is_the_same_for_everybody_too(offices, company, editor: Client):
    west = offices["West"]
    Disclaimer.objects.create(domain=company.domain, text="Fair", ends_on=date(2099, 1, 1))
    FieldSetting.objects.create(domain=company.domain, name="sender.title", default="Staff")
    Group.objects.filter(pk=west.group_id).update(field_values={"sender.title": "Westerner"})

    people = read_people(editor)

    assert people == {
        "Ana Silva": "Values of West Job title Westerner ; Brand changes ; Fields change",
        "Tom Okafor": "Brand changes ; Fields change",
    }


def test_the_statuses_of_one_group_alone_follow_its_values(offices, company, bystander):
    for name, sender in offices.items():
        (bystander if name == "theirs" else company).place(sender)
    group = offices["West"].group
    Group.objects.filter(pk=group.pk).update(company_values={"name": "Acme West LLC"})

    publish_drafts(company.domain)

    assert read_statuses() == {"Ana Silva": "pending", "Tom Okafor": "up_to_date", "Kim Theirs": "up_to_date"}


def test_what_is_no_value_is_refused_and_nothing_is_stored(offices, editor: Client):
    west = offices["West"]

    response = editor.post(
        page_of(west),
        {"website": "javascript:alert(1)", "accent": "blue", "name": "Acme West", "none_name": "on"},
    )

    assert response.status_code == 422
    page = text_of(response.content.decode())
    assert "Not valid: not a colour written #rrggbb." in page
    assert "Enter a value or choose none for this group, not both." in page
    assert Group.objects.get(pk=west.group_id).company_values == {}


def test_another_domains_group_has_no_such_page(offices, editor: Client):
    response = editor.post(page_of(offices["theirs"]), {"name": "Mine now"})

    assert response.status_code == 404
    assert not any(Group.objects.values_list("company_values", flat=True))


def test_a_dated_disclaimer_reaches_mailboxes_on_its_days_without_another_release(
    offices, company, bystander, editor: Client
):
    today = timezone.now().date()
    tomorrow = today + timedelta(days=1)
    response = editor.post(
        f"{HOME}brand/disclaimers/add/",
        {"text": "Visit us at the fair", "starts_on": tomorrow, "ends_on": tomorrow},
    )
    assert (response.status_code, response["Location"]) == (302, f"{HOME}brand/")
    assert list_drafts(company.domain) == ["brand"]
    assert "Visit us at the fair" in text_of(editor.get(f"{HOME}releases/").content.decode())
    publish_drafts(company.domain)
    for name, sender in offices.items():
        (bystander if name == "theirs" else company).place(sender)
    up_to_date = read_statuses()

    with time_machine.travel(timezone.now() + timedelta(days=1), tick=True):
        note_statuses()
        fair = {name: show(sender).splitlines()[-1] for name, sender in offices.items()}
        during = read_statuses()
    with time_machine.travel(timezone.now() + timedelta(days=2), tick=True):
        note_statuses()
        after = read_statuses()

    assert fair == {"West": "Visit us at the fair", "East": "Visit us at the fair", "theirs": "Acme Inc."}
    assert during == {"Ana Silva": "pending", "Tom Okafor": "pending", "Kim Theirs": "up_to_date"}
    assert after == up_to_date == dict.fromkeys(during, "up_to_date")


def test_a_groups_disclaimer_with_dates_is_its_own(offices, company, editor: Client):
    west, east = offices["West"], offices["East"]
    today = timezone.now().date()

    response = editor.post(f"{page_of(west)}disclaimers/add/", {"text": "West only", "ends_on": today})

    assert (response.status_code, response["Location"]) == (302, page_of(west))
    publish_drafts(company.domain)
    assert show(west).splitlines()[-1] == "West only"
    assert show(west, today + timedelta(days=1)).splitlines()[-1] == "Acme Inc."
    assert show(east).splitlines()[-1] == "Acme Inc."


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"text": "Always"}, "Enter the first day, the last day, or both."),
        (
            {"text": "Odd", "starts_on": "2026-06-30", "ends_on": "2026-06-01"},
            "The last day is before the first.",
        ),
        ({"text": "", "starts_on": "2026-06-30"}, "This field is required."),
        ({"text": "\u200b\u200b", "starts_on": "2026-06-30"}, "Not valid: empty."),
        ({"text": "x" * 501, "starts_on": "2026-06-30"}, "at most 500 characters"),
        ({"text": "Odd", "starts_on": "30th of June"}, "Enter a valid date."),
    ],
)
@pytest.mark.parametrize("page", ["brand/", "groups/{west}/brand/"])
def test_a_disclaimer_that_is_not_valid_is_refused_beside_its_field(
    offices, editor: Client, form, reason, page
):
    address = HOME + page.format(west=offices["West"].group_id)

    response = editor.post(f"{address}disclaimers/add/", form)

    assert response.status_code == 422
    assert reason in response.content.decode()
    assert not Disclaimer.objects.exists()


def test_a_disclaimer_is_removed_as_a_draft_and_by_its_own_domain_alone(
    offices, company, bystander, editor: Client
):
    mine, theirs = (
        Disclaimer.objects.create(domain=other.domain, text="Fair", starts_on=timezone.now().date())
        for other in (company, bystander)
    )
    publish_drafts(company.domain)

    refused = editor.post(f"{HOME}brand/disclaimers/{theirs.pk}/remove/")
    removed = editor.post(f"{HOME}brand/disclaimers/{mine.pk}/remove/")

    assert (refused.status_code, removed.status_code) == (404, 302)
    assert list(Disclaimer.objects.all()) == [theirs]
    assert show(offices["West"]).splitlines()[-1] == "Fair"
    assert list_drafts(company.domain) == ["brand"]


def test_discarding_gives_group_values_and_disclaimers_back_as_published(offices, company, editor: Client):
    west = offices["West"]
    Group.objects.filter(pk=west.group_id).update(company_values={"name": "Acme West"})
    Disclaimer.objects.create(domain=company.domain, text="Fair", ends_on=date(2099, 1, 1))
    publish_drafts(company.domain)
    Disclaimer.objects.all().delete()
    Brand.objects.filter(domain=company.domain).update(x_url="https://x.example/acme")
    editor.post(page_of(west), {"name": "Acme West Coast", "phone": "+1 415 555 0100"})

    discard_drafts(company.domain, list_drafts(company.domain), actor="lena@acme.example")

    assert list_drafts(company.domain) == []
    assert Group.objects.get(pk=west.group_id).company_values == {"name": "Acme West"}
    assert Disclaimer.objects.get().ends_on == date(2099, 1, 1)
    assert Brand.objects.get(domain=company.domain).x_url == ""


def test_previews_and_the_senders_page_show_the_groups_values(offices, company, editor: Client):
    west = offices["West"]
    Group.objects.filter(pk=west.group_id).update(company_values={"address": "18 Pine Street"})
    template = company.domain.templates.get(name="Shared")

    frame = editor.get(
        f"{HOME}templates/preview/", {"version": template.current_id, "sender": west.email}
    ).content.decode()
    other = editor.get(
        f"{HOME}templates/preview/", {"version": template.current_id, "sender": offices["East"].email}
    ).content.decode()
    page = editor.get(f"{HOME}groups/{west.group_id}/").content.decode()

    assert "18 Pine Street" in frame and "18 Pine Street" not in other
    assert re.search(r"<dt>Address</dt>\s*<dd>18 Pine Street</dd>", page)
    assert "West" in text_of(editor.get(f"{HOME}brand/").content.decode())
