"""Sender suggestions: part of a name offers senders, with script while typing, without it after sending."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from signatures.models import Sender, Template
from signatures.senders.listing import MOST_SUGGESTED

ADDRESS = "/domains/acme.example/"


def suggest(client: Client, words: str) -> list[str]:
    answer = client.get(f"{ADDRESS}senders/suggestions/", {"sender": words})
    assert answer.status_code == 200
    return re.findall(r"<option value=\"[^\"]*\">([^<]*)</option>", answer.content.decode())


@pytest.fixture
def many(company, bystander) -> list[Sender]:
    """More senders than a list offers, the last by name among them, beside those of another domain."""
    company.add("Zoran Novak")
    return [company.add(f"Ana Number{number:02}") for number in range(MOST_SUGGESTED + 10)]


@pytest.mark.parametrize("words", ["zor", "NOVAK", "nov zor", "person1@acme"])
def test_any_part_of_a_name_or_address_offers_a_sender_however_late_in_the_alphabet(
    many, auditor: Client, words
):
    assert suggest(auditor, words) == ["Zoran Novak"]


def test_at_most_twenty_are_offered_by_name(many, auditor: Client):
    assert suggest(auditor, "ana") == [f"Ana Number{number:02}" for number in range(MOST_SUGGESTED)]


def test_another_domain_and_who_is_inactive_are_not_offered(company, bystander, many, auditor: Client):
    Sender.objects.filter(name="Zoran Novak").update(is_active=False)
    bea = Sender.objects.get(domain=bystander.domain)

    assert [suggest(auditor, words) for words in ("zoran", bea.name, bea.email)] == [[], [], []]


def test_what_is_typed_is_only_words(many, auditor: Client):
    assert suggest(auditor, "<script>%_'") == []


@pytest.mark.parametrize("path", ["campaigns/why/", "templates/new/?starter=card"])
def test_a_field_that_names_a_sender_asks_as_it_is_typed(many, admin: Client, path):
    page = admin.get(ADDRESS + path).content.decode()

    assert f'hx-get="{ADDRESS}senders/suggestions/"' in page
    assert page.count("<option value=") >= MOST_SUGGESTED


def test_after_sending_part_of_a_name_the_page_offers_those_that_match(company, many, admin: Client):
    zora = company.add("Zora Bell")

    page = admin.post(f"{ADDRESS}campaigns/why/", {"sender": "zor"})

    assert page.status_code == 422
    assert [sender.name for sender in page.context["senders"]] == ["Zora Bell", "Zoran Novak"]
    assert "Several senders match: Zora Bell" in page.content.decode()
    assert admin.post(f"{ADDRESS}campaigns/why/", {"sender": zora.email}).status_code == 200


def test_a_preview_as_part_of_a_name_lists_those_that_match(company, many, editor: Client):
    company.add("Zora <b>Bell</b>")
    version = Template.objects.get(domain=company.domain, name="Card").current

    saved = editor.get(f"{ADDRESS}templates/preview/", {"version": version.pk, "sender": "zor"})
    tried = editor.post(f"{ADDRESS}templates/trial/", {"source": "<p>x</p>", "sender": "zor"})

    for frame in (saved, tried):
        assert frame.status_code == 422
        assert "<li>Zoran Novak (person1@acme.example)</li>" in frame.content.decode()
        assert "<li>Zora &lt;b&gt;Bell&lt;/b&gt; (" in frame.content.decode()
        assert "Ana" not in frame.content.decode()


def test_a_whole_address_names_one_sender_where_two_rows_have_it(company, editor: Client):
    first = company.add("Ana Silva")
    second = company.add("Ana Silva Old")
    Sender.objects.filter(pk=second.pk).update(email=first.email, is_active=False)

    frame = editor.post(
        f"{ADDRESS}templates/trial/", {"source": "<p>{{ sender.name }}</p>", "sender": first.email}
    )

    assert (frame.status_code, "<body><p>Ana Silva</p></body>" in frame.content.decode()) == (200, True)
