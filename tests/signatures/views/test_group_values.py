"""Values of fields that a group has: drafts, then one more source of what its senders show."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.authoring.discard import discard_drafts
from signatures.authoring.templates import assign_template, save_template
from signatures.models import EditedBy, FieldSetting, Group, MailboxState, Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts
from signatures.senders.empty_values import is_empty
from signatures.senders.value_sources import COMPANY, GROUP, IMPORT, OUTREACH, OVERRIDE
from signatures.senders.values import set_own_values
from signatures.senders.vocabulary import get_field_rules
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import edit_brand, text_of

HOME = "/domains/acme.example/"
ACTOR = "lena@acme.example"
BERLIN, CENTRAL, OWN = "+49 30 5550100", "+1 415 555 0100", "+49 30 5550177"


@pytest.fixture
def offices(company, bystander) -> dict[str, Sender]:
    for other in (company, bystander):
        source = "<p>Hi</p><p>{{ sender.phone }}</p><p>{{ sender.office_address }}</p>"
        template = save_template(other.domain, name="Fields", source=source, actor=ACTOR).template
        default = Group.objects.get(domain=other.domain, is_default=True)
        assign_template(other.domain, template=template, group=default, actor=ACTOR)
        edit_brand(other.domain, phone=CENTRAL)
    return {
        "Ana": company.add("Ana Silva", teams=("Berlin",)),
        "Ben": company.add("Ben Okoro", teams=("Berlin",), phone=OWN),
        "Tom": company.add("Tom Okafor", teams=("East",)),
        "Kim": bystander.add("Kim Theirs", teams=("Berlin",)),
    }


def show(offices) -> dict[str, list[str]]:
    found = {}
    for name, sender in offices.items():
        read = Sender.objects.select_related("person", "domain").get(pk=sender.pk)
        composed = Composer(read.domain, get_live_content(read.domain)).compose(read)
        assert isinstance(composed, Composed), composed
        found[name] = composed.rendered.text.splitlines()[1:]
    return found


def page_of(offices) -> str:
    return f"{HOME}groups/{offices['Ana'].group_id}/values/"


def fill(offices, **values: str) -> None:
    """Give Berlin these values, live."""
    named = {f"sender.{name}": value for name, value in values.items()}
    Group.objects.filter(pk=offices["Ana"].group_id).update(field_values=named)
    publish_drafts(offices["Ana"].domain)


def test_a_groups_value_is_a_draft_and_then_its_senders_who_have_none_of_their_own(offices, editor: Client):
    before, group = show(offices), offices["Ana"].group_id

    response = editor.post(
        page_of(offices), {"sender.phone": BERLIN, "sender.office_address": "Kai 7, Berlin"}
    )

    assert (response.status_code, response["Location"]) == (302, f"{HOME}groups/{group}/")
    assert list_drafts(offices["Ana"].domain) == [f"group:{group}"]
    assert show(offices) == before
    assert "Phone +49 30 5550100" in text_of(editor.get(f"{HOME}releases/").content.decode())
    entry = LedgerEntry.objects.get(action="group field values changed")
    assert (entry.object_ref, entry.detail) == ("Berlin", "sender.phone, sender.office_address")

    publish_drafts(offices["Ana"].domain)

    assert show(offices) == {
        "Ana": [BERLIN, "Kai 7, Berlin"],
        "Ben": [OWN, "Kai 7, Berlin"],
        "Tom": before["Tom"],
        "Kim": before["Kim"],
    }


@pytest.mark.parametrize(
    ("order", "ana", "ben", "tom"),
    [
        ((), BERLIN, OWN, None),
        ((OVERRIDE, IMPORT, OUTREACH, COMPANY), BERLIN, OWN, CENTRAL),
        ((OVERRIDE, IMPORT, GROUP, OUTREACH, COMPANY), BERLIN, BERLIN, CENTRAL),
        ((GROUP, OVERRIDE, IMPORT, OUTREACH), BERLIN, BERLIN, None),
    ],
)
def test_the_source_order_says_where_the_groups_value_stands(offices, order, ana, ben, tom):
    FieldSetting.objects.create(domain=offices["Ana"].domain, name="sender.phone", order=list(order))
    fill(offices, phone=BERLIN)

    found = show(offices)

    assert (found["Ana"], found["Ben"]) == ([ana], [ben])
    assert found["Tom"] == ([tom] if tom else [])
    assert found["Kim"] == []


@pytest.mark.parametrize(
    ("place", "stored"),
    [
        ("", []),
        ("outreach", ["override", "import", "group", "outreach"]),
        ("group", ["group", "override", "import", "outreach"]),
    ],
)
def test_the_fields_page_places_the_groups_value(offices, admin: Client, place, stored):
    address = f"{HOME}fields/sender.phone/"

    admin.post(address, {"edited_by": "editors", "label": "Phone", "group_stands": place})

    assert FieldSetting.objects.get(name="sender.phone").order == stored
    assert admin.get(address).context["form"]["group_stands"].initial == place


def test_an_override_comes_before_the_groups_value_and_the_page_says_the_source(offices, auditor: Client):
    fill(offices, phone=BERLIN, office_address="Kai 7, Berlin")
    set_own_values(offices["Ana"], {"sender.office_address": "Home"}, actor=ACTOR)

    ana = text_of(auditor.get(f"{HOME}senders/{offices['Ana'].pk}/").content.decode())
    ben = text_of(auditor.get(f"{HOME}senders/{offices['Ben'].pk}/").content.decode())
    group = text_of(auditor.get(f"{HOME}groups/{offices['Ana'].group_id}/").content.decode())

    assert show(offices)["Ana"] == [BERLIN, "Home"]
    assert f"Phone {BERLIN} From the group “Berlin”" in ana and "Office address Home Local field" in ana
    assert f"Phone {OWN} Outreach" in ben and "Office address Kai 7, Berlin From the group “Berlin”" in ben
    assert f"Phone {BERLIN}" in group


def test_mailboxes_of_the_group_alone_are_pending_and_its_lists_know_the_value(offices, company, bystander):
    for name, sender in offices.items():
        (bystander if name == "Kim" else company).place(sender)

    fill(offices, phone=BERLIN)

    statuses = dict(MailboxState.objects.values_list("sender__name", "status"))
    assert (statuses["Ana Silva"], statuses["Tom Okafor"]) == ("pending", "up_to_date")
    assert (statuses["Ben Okoro"], statuses["Kim Theirs"]) == ("up_to_date", "up_to_date")
    empty = is_empty(company.domain, "sender.phone", get_field_rules(company.domain))
    without = Sender.objects.filter(empty, domain=company.domain)
    assert list(without) == [offices["Tom"]]


def test_what_does_not_fit_its_field_is_refused(offices, editor: Client):
    response = editor.post(
        page_of(offices), {"sender.phone": "call me", "sender.linkedin_url": "javascript:x"}
    )

    assert response.status_code == 422
    page = text_of(response.content.decode())
    assert "Not valid: not a phone number." in page and "Not valid: not an https:// address." in page
    assert not any(Group.objects.values_list("field_values", flat=True))


def test_fields_of_one_person_have_no_input_and_closed_ones_are_for_admins(
    offices, editor: Client, admin: Client
):
    FieldSetting.objects.create(domain=offices["Ana"].domain, name="sender.phone", edited_by=EditedBy.ADMINS)
    fill(offices, phone=BERLIN)

    editor.post(page_of(offices), {"sender.phone": CENTRAL, "sender.name": "Berlin", "sender.mobile": BERLIN})
    by_editor = Group.objects.get(pk=offices["Ana"].group_id).field_values
    admin.post(page_of(offices), {"sender.phone": CENTRAL})

    stored = BERLIN.replace(" ", "")
    assert by_editor == {"sender.phone": stored, "sender.mobile": stored}
    assert Group.objects.get(pk=offices["Ana"].group_id).field_values == {"sender.phone": "+14155550100"}


def test_discarding_gives_the_values_back_and_another_domains_group_is_not_found(offices, editor: Client):
    fill(offices, phone=BERLIN)
    editor.post(page_of(offices), {"sender.phone": CENTRAL})

    discard_drafts(offices["Ana"].domain, list_drafts(offices["Ana"].domain), actor=ACTOR)
    theirs = editor.post(f"{HOME}groups/{offices['Kim'].group_id}/values/", {"sender.phone": BERLIN})

    assert theirs.status_code == 404
    assert Group.objects.get(pk=offices["Ana"].group_id).field_values == {"sender.phone": BERLIN}
    assert Group.objects.get(pk=offices["Kim"].group_id).field_values == {}
    assert list_drafts(offices["Ana"].domain) == []
