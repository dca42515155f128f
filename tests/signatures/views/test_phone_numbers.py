"""Phone numbers of senders: typed, imported or entered by the sender, they are stored as E.164 and shown formatted."""

from __future__ import annotations

import pytest
from django.test import Client

from signatures.authoring.templates import assign_template, save_template
from signatures.models import EditedBy, FieldSetting, Group, RowState, Sender, ValueDraft
from signatures.releases.candidate import build_candidate
from signatures.releases.compose import Composed, Composer
from signatures.releases.live import get_live_content
from signatures.senders.overrides import list_overrides
from signatures.senders.values import set_own_values
from tests.support.deliveries import publish_drafts
from tests.support.release_pages import edit_brand, text_of
from tests.support.self_service import get_me, sign_in_as, switch_on
from tests.support.senders import get_own
from tests.support.value_imports import apply, upload

HOME = "/domains/acme.example/"
ACTOR = "lena@acme.example"
SOURCE = '<p><a href="tel:{{ sender.mobile }}">{{ sender.mobile }}</a></p>'


@pytest.fixture
def ana(company, bystander) -> Sender:
    for other in (company, bystander):
        template = save_template(other.domain, name="Numbers", source=SOURCE, actor=ACTOR).template
        default = Group.objects.get(domain=other.domain, is_default=True)
        assign_template(other.domain, template=template, group=default, actor=ACTOR)
        edit_brand(other.domain, phone="+1 (415) 555-2600")
    bea = bystander.add("Bea Theirs", email="bea2@bystander.example")
    Sender.objects.filter(pk=bea.pk).update(own_values={"sender.mobile": "(415) 555-2671"})
    sender = company.add("Ana Silva")
    publish_drafts(company.domain)
    return sender


def compose(sender: Sender) -> tuple[str, str]:
    """Return the text of the signature and its whole HTML."""
    found = Sender.objects.select_related("person", "domain").get(pk=sender.pk)
    composed = Composer(found.domain, get_live_content(found.domain)).compose(found)
    assert isinstance(composed, Composed), composed
    return composed.rendered.text, composed.rendered.html


def test_a_typed_number_is_stored_as_e164_by_the_companys_country_and_shown_formatted(ana, admin: Client):
    address = f"{HOME}senders/{ana.pk}/"

    page = admin.post(f"{address}values/", {"sender.mobile": "(415) 555-2671 x204"}, follow=True)

    assert get_own()[ana.email] == {"sender.mobile": "+14155552671;ext=204"}
    assert get_own()["bea2@bystander.example"] == {"sender.mobile": "(415) 555-2671"}
    text, html = compose(ana)
    assert text == "+1 415-555-2671 ext. 204"
    assert 'href="tel:+14155552671;ext=204"' in html
    words = text_of(page.content.decode())
    assert "Mobile +1 415-555-2671 ext. 204 Local field" in words
    assert "kept as you typed it" not in words
    assert page.context["form"]["sender.mobile"].initial == "+1 415-555-2671 ext. 204"


def test_what_is_no_certain_number_is_kept_with_a_warning(ana, admin: Client):
    page = admin.post(f"{HOME}senders/{ana.pk}/values/", {"sender.mobile": "1-800-FLOWERS 123"}, follow=True)

    assert get_own()[ana.email] == {"sender.mobile": "1-800-FLOWERS 123"}
    assert "A phone number was kept as you typed it" in text_of(page.content.decode())
    assert compose(ana)[0] == "1-800-FLOWERS 123"


@pytest.mark.parametrize(
    ("clean_up", "shown"),
    [
        ({}, "+1 415-555-2671"),
        ({"phone": "national"}, "(415) 555-2671"),
        ({"phone": "international"}, "+1 415-555-2671"),
    ],
)
def test_the_fields_format_makes_what_is_shown(ana, clean_up, shown):
    FieldSetting.objects.create(domain=ana.domain, name="sender.mobile", clean_up=clean_up)
    publish_drafts(ana.domain)

    set_own_values(ana, {"sender.mobile": "415.555.2671"}, actor=ACTOR)

    assert compose(ana)[0] == shown


@pytest.mark.parametrize(
    "typed",
    ["+14155552671", "(415) 555-2671", "+1 415 555 2671 x204", "tel:+14155552671", "ask Ana 4155552671"],
)
@pytest.mark.parametrize(
    "record", [{}, {"by": ACTOR, "at": "2026-01-01T00:00:00+00:00", "kind": "typed", "file": ""}]
)
def test_values_from_before_are_rendered_as_they_were(ana, admin: Client, typed, record):
    Sender.objects.filter(pk=ana.pk).update(
        own_values={"sender.mobile": typed}, value_origins={"sender.mobile": record} if record else {}
    )

    before = compose(ana)
    admin.post(f"{HOME}senders/{ana.pk}/values/", {"sender.mobile": typed, "sender.pronouns": "she"})

    assert before[0] == typed.removeprefix("tel:")
    assert compose(ana) == before
    assert get_own()[ana.email] == {"sender.mobile": typed, "sender.pronouns": "she"}


def test_an_imported_number_is_stored_as_e164_and_an_equal_file_changes_nothing(ana, company, admin: Client):
    tom, ben, kim = (company.add(name) for name in ("Tom Okafor", "Ben Okoro", "Kim Lee"))
    Sender.objects.filter(pk=ben.pk).update(own_values={"sender.mobile": "(415) 555-2672"})
    lines = [
        "E-mail,Mobile",
        f"{ana.email},(415) 555-2671",
        f"{tom.email},123 ask reception",
        f"{ben.email},(415) 555-2672",
        f"{kim.email},+49 30 901820 Durchwahl 17",
    ]
    file = "\n".join(lines).encode()

    stored = upload(admin, file, "numbers.csv")

    rows = stored.rows.order_by("line").values_list("state", "values", "reason")
    assert list(rows) == [
        (RowState.NEW, {"sender.mobile": ["", "+14155552671", ""]}, ""),
        (
            RowState.NEW,
            {"sender.mobile": ["", "123 ask reception", ""]},
            "Kept as typed, as it is not one number of a known country: Mobile.",
        ),
        (RowState.SAME, {}, ""),
        (RowState.NEW, {"sender.mobile": ["", "+4930901820;ext=17", ""]}, ""),
    ]
    apply(admin, stored)
    assert (compose(ana)[0], compose(ben)[0]) == ("+1 415-555-2671", "(415) 555-2672")
    again = upload(admin, file, "again.csv")
    assert set(again.rows.values_list("state", flat=True)) == {RowState.SAME}


def test_a_sender_enters_a_number_and_sees_it_formatted(ana):
    switch_on(ana.domain)
    FieldSetting.objects.create(domain=ana.domain, name="sender.mobile", edited_by=EditedBy.SENDERS)
    me = sign_in_as(ana)

    trial = me.post(get_me(ana, "me_trial"), {"sender.mobile": "(415) 555-2671"}).content.decode()
    page = me.post(get_me(ana), {"sender.mobile": "(415) 555-2671"}, follow=True)
    me.post(get_me(ana), {"sender.mobile": "+1 415-555-2671"})

    assert "+1 415-555-2671" in trial
    assert get_own()[ana.email] == {"sender.mobile": "+14155552671"}
    assert page.context["form"]["sender.mobile"].initial == "+1 415-555-2671"
    assert ana.changes.count() == 1


def test_a_draft_is_previewed_and_published_formatted(ana, editor: Client):
    editor.post(f"{HOME}senders/{ana.pk}/values/", {"sender.mobile": "(415) 555-2671"})
    assert ValueDraft.objects.get().value == "+14155552671"
    candidate = build_candidate(ana.domain)
    sender = candidate.give_values(Sender.objects.select_related("person", "domain").get(pk=ana.pk))

    previewed = Composer(ana.domain, candidate.content).compose(sender)
    publish_drafts(ana.domain)

    assert isinstance(previewed, Composed)
    assert previewed.rendered.text == "+1 415-555-2671" == compose(ana)[0]


def test_an_override_that_is_the_same_number_as_outreachs_differs_from_nothing(company, ana):
    same = company.add("Tom Okafor", phone="(415) 555-2671", phone_region="US")
    other = company.add("Ben Okoro", phone="(415) 555-2679", phone_region="US")
    for sender in (same, other):
        set_own_values(sender, {"sender.phone": "+1 415 555 2671"}, actor=ACTOR)

    assert [one.sender for one in list_overrides(company.domain)] == [other]


def test_equal_inputs_render_the_same_after_a_value_from_before_is_typed_again(ana):
    Sender.objects.filter(pk=ana.pk).update(own_values={"sender.mobile": "+14155552671"})
    composer = Composer(ana.domain, get_live_content(ana.domain))

    def read() -> tuple[str, str]:
        found = Sender.objects.select_related("person", "domain").get(pk=ana.pk)
        composed = composer.compose(found)
        assert isinstance(composed, Composed)
        return composer.get_inputs_digest(found), composed.rendered.text

    before = read()
    for typed in ("", "+1 415 555 2671"):
        ana.refresh_from_db()
        set_own_values(ana, {"sender.mobile": typed}, actor=ACTOR)
    after = read()

    assert before[1] == "+14155552671" and after[1] == "+1 415-555-2671"
    assert before[0] != after[0]
