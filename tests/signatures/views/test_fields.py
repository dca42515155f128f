"""Fields: what a domain says about them is shown before it is saved, drafted, released, and reaches no other domain."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.authoring.templates import save_template
from signatures.delivery.planning import plan_delivery
from signatures.delivery.status import refresh_domain
from signatures.models import FieldSetting, MailboxState, Sender
from signatures.releases.compose import Composed, Composer
from signatures.releases.content import ReleaseContent, digest_json
from signatures.releases.live import get_live, get_live_content
from signatures.releases.publish import list_drafts
from signatures.rendering.fields import CUSTOM_SAMPLES, Trust
from signatures.senders.values import set_own_values
from tests.support.deliveries import publish_drafts
from tests.support.fields import FIELDS, TITLE, USUAL, compose, text, use
from tests.support.release_pages import text_of


def test_clean_up_is_shown_for_real_people_before_it_is_saved_and_reaches_signatures_with_a_release(
    people, admin: Client
):
    ana, ben, bea = people
    before = text(bea)
    form = {**USUAL, "letter_case": "title", "replacements": "VP => Vice President", "trim": "on"}

    shown = admin.post(TITLE, {**form, "act": "preview"}).content.decode()

    words = text_of(shown)
    assert "Ana Silva VP OF SALES Vice President of Sales" in words
    assert "1 value changes among 2 active senders; 0 senders have no value." in words
    assert "Ben Okoro" not in words and not FieldSetting.objects.exists()

    response = admin.post(TITLE, form)

    assert response.status_code == 302
    setting = FieldSetting.objects.get()
    assert list_drafts(ana.domain) == [f"field:{setting.pk}"]
    assert "VP OF SALES" in text(ana)
    drafts = admin.get("/domains/acme.example/releases/").content.decode()
    assert "“VP” becomes “Vice President”" in text_of(drafts)
    publish_drafts(ana.domain)
    assert text(ana).splitlines() == ["Ana Silva", "Vice President of Sales"]
    assert text(ben).splitlines() == ["Ben Okoro", "Engineer"]
    assert text(bea) == before
    entry = LedgerEntry.objects.get(action="field changed")
    assert (entry.object_ref, entry.domain) == ("sender.title", ana.domain)


def test_a_field_can_take_another_fields_value_with_the_companys_and_a_default_behind_it(
    people, admin: Client
):
    ana, ben, bea = people
    address = f"{FIELDS}sender.calendar_url/"

    admin.post(
        address,
        {
            **USUAL,
            "taken_from": "sender.custom1",
            "default": "https://meet.acme.example/team",
            "label": "Book",
        },
    )
    publish_drafts(ana.domain)

    assert "https://meet.acme.example/ana" in text(ana)
    assert "https://meet.acme.example/team" in text(ben)
    assert "https" not in text(bea)
    set_own_values(ana, {"sender.calendar_url": "https://own.acme.example/"}, actor="test")
    assert "https://own.acme.example/" in text(ana)
    page = admin.get(f"/domains/acme.example/senders/{ana.pk}/").content.decode()
    assert ">Book<" in re.sub(r"\s+", "", page).replace('scope="row"', "")


def test_outreach_first_lets_a_local_value_only_fill_gaps(people, admin: Client):
    ana, ben, _ = people
    Sender.objects.filter(pk=ben.pk).update(own_values={"sender.title": "Architect"})

    admin.post(TITLE, {**USUAL, "order": "outreach,override,import"})
    publish_drafts(ana.domain)

    assert text(ben).splitlines() == ["Ben Okoro", "Engineer"]


def test_the_full_name_follows_its_cleaned_parts_unless_it_is_overridden(people, company, admin: Client):
    shouted = company.add("JO MCDONALD")
    ana, _, _ = people

    for part in ("first_name", "last_name"):
        admin.post(f"{FIELDS}sender.{part}/", {**USUAL, "letter_case": "title"})
    publish_drafts(ana.domain)

    assert text(shouted) == "Jo McDonald"
    set_own_values(shouted, {"sender.name": "JO"}, actor="test")
    assert text(shouted) == "JO"
    assert text(ana).splitlines()[0] == "Ana Silva"


def test_a_mailbox_without_a_required_value_is_not_written_and_everybody_sees_why(people, admin: Client):
    ana, ben, bea = people
    admin.post(f"{FIELDS}sender.pronouns/", {**USUAL, "is_required": "on", "label": "Pronoun"})
    set_own_values(ana, {"sender.pronouns": "she/her"}, actor="test")
    publish_drafts(ana.domain)
    refresh_domain(ana.domain)

    assert text(ben) == "Pronoun is required and has no value. Enter one."
    state = MailboxState.objects.get(sender=ben)
    assert (state.status, "Pronoun is required" in state.reason) == ("action_needed", True)
    run = plan_delivery(ana.domain, actor="test")
    assert list(run.deliveries.filter(state="planned").values_list("sender", flat=True)) == [ana.pk]
    assert "Pronoun is required" in admin.get(f"/domains/acme.example/deliveries/{run.pk}/").content.decode()
    assert "Pronoun is required" in admin.get(f"/domains/acme.example/senders/{ben.pk}/").content.decode()
    assert isinstance(compose(bea), Composed)


def test_a_custom_field_goes_through_template_value_release_and_removal(people, admin: Client):
    ana, ben, bea = people

    response = admin.post(
        f"{FIELDS}add/", {"label": "Gültig bis", "kind": "date", "help": "The badge’s last day"}
    )

    name = "sender.x_date_gultig_bis"
    assert response["Location"] == f"{FIELDS}{name}/"
    admin.post(f"{FIELDS}{name}/", {**USUAL, "label": "Valid until", "date_format": "dd.mm.yyyy"})
    page = admin.get(f"/domains/acme.example/senders/{ana.pk}/").content.decode()
    assert f'type="date" name="{name}"' in page
    refused = admin.post(f"/domains/acme.example/senders/{ana.pk}/values/", {name: "31.12.2026"})
    assert "not a date written YYYY-MM-DD" in refused.content.decode()
    admin.post(f"/domains/acme.example/senders/{ana.pk}/values/", {name: "2026-12-31"})
    template = use(ana.domain, f"<p>{{{{ sender.name }}}}</p><p>Until {{{{ {name} }}}}</p>")

    assert text(ana).splitlines() == ["Ana Silva", "Until 31.12.2026"]
    assert text(ben) == "Ben Okoro"
    admin.post(f"{FIELDS}{name}/remove/", {"act": "remove"})
    publish_drafts(ana.domain)
    assert text(ana) == "Ana Silva"
    saved = save_template(
        ana.domain, name="Fields", source=template.current.source + " ", actor="test", template=template
    )
    assert any("was removed" in warning for warning in saved.warnings)
    assert name not in admin.get(f"/domains/acme.example/senders/{ana.pk}/").content.decode()
    again = admin.post(f"{FIELDS}add/", {"label": "Gültig bis", "kind": "date"})
    assert again["Location"] == f"{FIELDS}{name}2/"
    admin.post(f"{FIELDS}{name}/remove/", {"act": "keep"})
    publish_drafts(ana.domain)
    assert text(ana).splitlines() == ["Ana Silva", "Until 31.12.2026"]
    assert not FieldSetting.objects.filter(domain=bea.domain).exists()


def test_a_sample_person_has_no_value_of_a_field_that_was_removed(people, admin: Client):
    ana, _, bea = people
    before = text(bea)
    for kind in ("text", "url"):
        admin.post(f"{FIELDS}add/", {"label": "Motto", "kind": kind})
    version = use(ana.domain, "<p>{{ sender.x_text_motto }}</p><p>{{ sender.x_url_motto }}</p>").current

    def list_shown() -> list[str]:
        preview = admin.get("/domains/acme.example/templates/preview/", {"version": version.pk})
        return [each for each in CUSTOM_SAMPLES.values() if f"<p>{each}</p>" in preview.content.decode()]

    whole = list_shown()
    admin.post(f"{FIELDS}sender.x_text_motto/remove/", {"act": "remove"})

    assert whole == [CUSTOM_SAMPLES[Trust.TEXT], CUSTOM_SAMPLES[Trust.URL]]
    assert list_shown() == [CUSTOM_SAMPLES[Trust.URL]]
    assert text(bea) == before


def test_a_template_published_before_its_field_shows_nothing_in_its_place(people, admin: Client):
    ana, _, _ = people
    admin.post(f"{FIELDS}add/", {"label": "Motto", "kind": "text"})
    set_own_values(ana, {"sender.x_text_motto": "Onwards"}, actor="test")
    use(ana.domain, "<p>{{ sender.name }}</p><p>{{ sender.x_text_motto }}</p>")
    assert text(ana).splitlines() == ["Ana Silva", "Onwards"]

    without = {**get_live_content(ana.domain).to_json()}
    without.pop("fields")
    content = ReleaseContent.from_json(without)
    sender = Sender.objects.select_related("person").get(pk=ana.pk)
    composed = Composer(ana.domain, content).compose(sender)

    assert isinstance(composed, Composed) and composed.rendered.text == "Ana Silva"


def test_who_may_edit_a_field_is_for_administrators_to_say_and_holds_at_once(
    people, admin: Client, editor: Client
):
    ana, _, _ = people
    values = f"/domains/acme.example/senders/{ana.pk}/values/"

    editor.post(TITLE, {**USUAL, "edited_by": "admins"})
    assert not FieldSetting.objects.filter(edited_by="admins").exists()
    said = admin.post(TITLE, {**USUAL, "edited_by": "admins"}, follow=True)

    assert [str(one) for one in said.context["messages"]] == [
        "Who may edit Job title is saved, and in effect now."
    ]
    assert list_drafts(ana.domain) == []
    editor.post(values, {"sender.title": "Queen"})
    assert not ana.value_drafts.exists()
    admin.post(values, {"sender.title": "Head"})
    ana.refresh_from_db()
    assert ana.own_values == {"sender.title": "Head"}


def test_discarding_puts_a_field_back_to_what_is_live(people, admin: Client):
    ana, _, _ = people
    admin.post(TITLE, {**USUAL, "label": "Role"})
    publish_drafts(ana.domain)
    admin.post(TITLE, {**USUAL, "label": "Post", "letter_case": "upper"})
    admin.post(f"{FIELDS}add/", {"label": "Motto", "kind": "text"})

    admin.post("/domains/acme.example/releases/discard/", {"key": list_drafts(ana.domain)})

    setting = FieldSetting.objects.get()
    assert (setting.label, setting.clean_up, list_drafts(ana.domain)) == ("Role", {}, [])


def test_a_release_without_fields_keeps_the_digest_it_had(people):
    ana, _, _ = people
    release = get_live(ana.domain)
    assert release is not None

    stored = dict(release.content)

    assert "fields" not in stored
    assert digest_json(stored) == release.digest == get_live_content(ana.domain).digest


@pytest.mark.parametrize(
    ("name", "posted", "sentence"),
    [
        ("sender.title", {"replacements": "no arrow"}, "Write each as “find =&gt; replace”"),
        ("sender.phone", {"region": "XX"}, "Enter the two letters of a country"),
        ("sender.calendar_url", {"default": "http://acme.example"}, "Not valid: not an https:// address."),
        ("sender.title", {"order": "nowhere"}, "Select a valid choice"),
        ("sender.title", {"taken_from": "company.name"}, "Select a valid choice"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(people, admin: Client, name, posted, sentence):
    response = admin.post(f"{FIELDS}{name}/", {**USUAL, **posted})

    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not FieldSetting.objects.exists()


def test_an_auditor_reads_fields_and_changes_none(people, auditor: Client):
    assert auditor.get(FIELDS).status_code == auditor.get(TITLE).status_code == 200
    assert auditor.post(TITLE, {**USUAL, "label": "Role"}).status_code == 403
    assert auditor.post(f"{FIELDS}add/", {"label": "Motto", "kind": "text"}).status_code == 403
    assert "Add a custom field" not in auditor.get(FIELDS).content.decode()


def test_dates_have_one_format_in_a_domain_and_a_field_can_have_another(people, admin: Client):
    ana, _, bea = people
    for label in ("Since", "Until"):
        admin.post(f"{FIELDS}add/", {"label": label, "kind": "date"})
    names = ["sender.x_date_since", "sender.x_date_until"]
    set_own_values(ana, dict.fromkeys(names, "2026-11-03"), actor="test")
    use(ana.domain, "".join(f"<p>{{{{ {name} }}}}</p>" for name in names))
    plain = get_live_content(ana.domain).to_json()
    assert text(ana).splitlines() == ["3 November 2026"] * 2

    response = admin.post(f"{FIELDS}dates/", {"date_format": "dd/mm/yyyy"})

    assert response["Location"] == FIELDS
    assert "03/11/2026" in admin.get(FIELDS).content.decode()
    assert text(ana).splitlines() == ["3 November 2026"] * 2  # a draft
    drafts = text_of(admin.get("/domains/acme.example/releases/").content.decode())
    assert "Custom fields with a date" in drafts and "Date format dd/mm/yyyy" in drafts
    publish_drafts(ana.domain)
    assert text(ana).splitlines() == ["03/11/2026"] * 2

    own = {**USUAL, "label": "Until", "date_format": "day month year"}
    preview = text_of(admin.post(f"{FIELDS}{names[1]}/", {**own, "act": "preview"}).content.decode())
    admin.post(f"{FIELDS}{names[1]}/", own)
    publish_drafts(ana.domain)

    assert "Ana Silva 03/11/2026 3 November 2026" in preview
    assert text(ana).splitlines() == ["03/11/2026", "3 November 2026"]
    assert Sender.objects.get(pk=ana.pk).own_values == dict.fromkeys(names, "2026-11-03")
    assert not FieldSetting.objects.filter(domain=bea.domain).exists()

    admin.post(f"{FIELDS}{names[1]}/", {**USUAL, "label": "Until", "date_format": ""})
    admin.post(f"{FIELDS}dates/", {"date_format": "day month year"})
    publish_drafts(ana.domain)
    assert get_live_content(ana.domain).to_json() == plain


def test_a_date_format_that_is_not_offered_is_refused(people, admin: Client):
    page = admin.post(f"{FIELDS}dates/", {"date_format": "%Y"}, follow=True)

    assert "Choose one of the date formats. Nothing was saved." in text_of(page.content.decode())
    assert not FieldSetting.objects.exists()
