"""Overrides: who set a value is on record, and what differs from Outreach is kept or dropped on one page."""

from __future__ import annotations

from django.test import Client

from integrations.models import Person
from signatures.models import Sender
from signatures.senders.many_values import set_many_values
from signatures.senders.origins import OriginKind, ValueOrigin
from signatures.senders.refresh import refresh_senders
from signatures.senders.values import set_own_values
from tests.support.deliveries import publish_drafts
from tests.support.fields import FIELDS, TITLE, USUAL, text
from tests.support.release_pages import text_of


def test_who_set_a_value_when_and_from_which_file_is_on_record_and_shown(
    people, admin: Client, editor: Client
):
    ana, ben, bea = people
    values = f"/domains/acme.example/senders/{ana.pk}/values/"
    admin.post(values, {"sender.mobile": "+1 415 555 0100"})
    editor.post(values, {"sender.pronouns": "she/her", "sender.mobile": "+1 415 555 0100"})
    publish_drafts(ana.domain)
    set_many_values(
        ana.domain,
        [(ana.pk, {"sender.location": "Oslo"}), (ben.pk, {"sender.location": "Rome"})],
        actor="lena@acme.example",
        run="import 1",
        origin=ValueOrigin(OriginKind.IMPORT, "people.csv"),
    )

    ana.refresh_from_db()
    records = {name: (one["by"], one["kind"], one["file"]) for name, one in ana.value_origins.items()}
    assert records == {
        "sender.mobile": ("admin@acme.example", "typed", ""),
        "sender.pronouns": ("editor@acme.example", "typed", ""),
        "sender.location": ("lena@acme.example", "import", "people.csv"),
    }
    words = text_of(admin.get(f"/domains/acme.example/senders/{ana.pk}/").content.decode())
    assert "import people.csv, lena@acme.example" in words
    assert "typed here, editor@acme.example" in words
    admin.post(values, {"sender.location": ""})
    ana.refresh_from_db()
    bea.refresh_from_db()
    assert "sender.location" not in ana.value_origins
    assert bea.value_origins == {}


def test_an_imported_value_gives_way_to_outreach_where_the_order_says_so(people, admin: Client):
    ana, ben, _ = people
    rows = [(ana.pk, {"sender.title": "Imported"}), (ben.pk, {"sender.title": "Imported"})]
    set_many_values(
        ana.domain, rows, actor="test", run="import 1", origin=ValueOrigin(OriginKind.IMPORT, "people.csv")
    )
    set_own_values(ben, {"sender.title": "Typed"}, actor="test")
    assert (text(ana).splitlines()[1], text(ben).splitlines()[1]) == ("Imported", "Typed")

    admin.post(TITLE, {**USUAL, "order": "override,outreach,import"})
    publish_drafts(ana.domain)

    assert (text(ana).splitlines()[1], text(ben).splitlines()[1]) == ("VP OF SALES", "Typed")


def test_lists_and_search_show_an_overridden_name(people, company, admin: Client):
    ana, *_ = people

    admin.post(f"/domains/acme.example/senders/{ana.pk}/values/", {"sender.first_name": "Anna"})

    listed = admin.get("/domains/acme.example/senders/?q=anna").content.decode()
    assert "Anna Silva" in listed and "Ben Okoro" not in listed
    refresh_senders(company.connection, since=None)
    assert Sender.objects.get(pk=ana.pk).name == "Anna Silva"


def test_overrides_that_differ_from_outreach_are_kept_or_dropped_on_one_page(
    people, company, admin: Client, editor: Client, auditor: Client
):
    ana, ben, bea = people
    set_own_values(
        ana, {"sender.title": "Queen", "sender.mobile": "+1 415 555 0100"}, actor="lena@acme.example"
    )
    set_own_values(ben, {"sender.title": "Engineer", "sender.custom2": "Here"}, actor="lena@acme.example")
    set_own_values(bea, {"sender.title": "Elsewhere"}, actor="test")
    page, decide = f"{FIELDS}overrides/", f"{FIELDS}overrides/decide/"

    words = text_of(auditor.get(page).content.decode())
    assert "2 overrides differ" in words and "Elsewhere" not in words
    assert "Ana Silva Job title VP OF SALES Queen lena@acme.example, typed here" in words
    assert "Ben Okoro Custom 2 Empty Here" in words

    editor.post(decide, {"act": "drop", "key": [f"{ana.pk}:sender.title", f"{bea.pk}:sender.title"]})
    assert Sender.objects.get(pk=ana.pk).own_values["sender.title"] == "Queen"
    assert ana.value_drafts.get().value == ""
    admin.post(decide, {"act": "keep", "key": [f"{ben.pk}:sender.custom2"]})
    assert "1 override differs" in text_of(admin.get(page).content.decode())
    admin.post(decide, {"act": "drop", "key": [f"{ana.pk}:sender.title"]})
    assert Sender.objects.get(pk=ana.pk).own_values == {"sender.mobile": "+14155550100"}
    assert "No overrides to look at" in admin.get(page).content.decode()
    assert "Here" in admin.get(f"{page}?kept=1").content.decode()
    Person.objects.filter(pk=ben.person_id).update(custom2="There")
    assert "1 override differs" in text_of(admin.get(page).content.decode())
    assert Sender.objects.get(pk=bea.pk).own_values == {"sender.title": "Elsewhere"}
