"""The company's values are checked as the renderer checks them; the originals leave as a file."""

from __future__ import annotations

import codecs
import csv
import io
import json

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.models import Brand, Snapshot
from signatures.releases.live import get_live_content
from signatures.releases.publish import list_drafts

BRAND = "/domains/acme.example/brand/"
ORIGINALS = "/domains/acme.example/originals/"
VALUES = {"name": "Acme", "website": "www.acme.example", "accent": "#2b4acb", "legal": "Acme Inc."}


def test_the_company_values_are_saved_for_this_domain_alone(company, bystander, admin: Client):
    response = admin.post(BRAND, VALUES)

    assert (response.status_code, response["Location"]) == (302, BRAND)
    kept = Brand.objects.get()
    assert (kept.domain, kept.name, kept.website) == (company.domain, "Acme", "https://www.acme.example")
    entry = LedgerEntry.objects.get(action="company values changed")
    assert (entry.actor_label, entry.detail) == ("admin@acme.example", "name, website, legal")


@pytest.mark.parametrize(
    "phone",
    [
        "1-800-FLOWERS",
        "+1 415 555 0142 extension 204",
        "+1 415 555 0142, ext. 204",
        "+1 415 555 0142,204",
        "+49 30 5550142 Dw. 12",
        "+1 415 555 0142 / +1 415 555 0143",
        "+1 415 555 0142 (mobile)",
        "０３－１２３４－５６７８",
        "+1\ufe0d-555-123-4567",
        "+1 415\u2212555\u22120142",
        "tel:+14155550142",
        "+1 415 555 0142 (weekdays from 9 to 5, Pacific time)",
    ],
)
def test_a_companys_phone_is_taken_as_people_write_it(company, admin: Client, phone: str):
    response = admin.post(BRAND, {**VALUES, "phone": phone})

    assert response.status_code == 302
    assert Brand.objects.get(domain=company.domain).phone == phone


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("website", "http://acme.example"),
        ("website", "javascript:alert(1)"),
        ("logo_url", "data:image/png;base64,AAAA"),
        ("accent", "red;}"),
        ("phone", "call us"),
    ],
)
def test_what_the_renderer_would_not_use_is_told_at_its_field(company, admin: Client, field: str, value: str):
    response = admin.post(BRAND, {**VALUES, field: value})

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert response.context["form"][field].value() == value
    assert not Brand.objects.exists()


def test_only_who_edits_signatures_opens_the_companys_values(company, auditor: Client):
    assert (auditor.get(BRAND).status_code, auditor.post(BRAND, VALUES).status_code) == (403, 403)
    assert not Brand.objects.exists()


def test_the_companys_values_are_a_draft_until_they_are_published(company, bystander, editor: Client):
    editor.post(BRAND, VALUES)

    assert (list_drafts(company.domain), list_drafts(bystander.domain)) == (["brand"], [])
    assert get_live_content(company.domain).company["name"] == ""


@pytest.fixture
def two_originals(company, bystander) -> None:
    for domain, mailbox, html in (
        (company.domain, "ana@acme.example", "=HYPERLINK()"),
        (company.domain, "tom@acme.example", "<p>Tom, “so long”</p>\n"),
        (bystander.domain, "bea@bystander.example", "<p>Bea</p>"),
    ):
        Snapshot.objects.create(
            domain=domain,
            account_key="o",
            mailbox_remote_id=mailbox,
            mailbox_email=mailbox,
            original_html=html,
        )


def test_originals_leave_exactly_as_they_were_in_json_lines(two_originals, admin: Client):
    response = admin.get(f"{ORIGINALS}?format=jsonl")

    rows = [json.loads(line) for line in b"".join(response.streaming_content).decode().splitlines()]
    assert [(row["mailbox"], row["original_html"]) for row in rows] == [
        ("ana@acme.example", "=HYPERLINK()"),
        ("tom@acme.example", "<p>Tom, “so long”</p>\n"),
    ]
    assert response["Content-Disposition"] == 'attachment; filename="originals-acme.example.jsonl"'
    assert LedgerEntry.objects.get(action="originals downloaded").detail == "2 as jsonl"


@pytest.mark.parametrize("asked", ["", "?format=csv", "?format=exe"])
def test_originals_leave_as_a_table_in_which_nothing_is_a_formula(two_originals, admin: Client, asked: str):
    response = admin.get(ORIGINALS + asked)

    content = b"".join(response.streaming_content)
    assert content.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [(row["mailbox"], row["original_html"]) for row in rows] == [
        ("ana@acme.example", "'=HYPERLINK()"),
        ("tom@acme.example", "<p>Tom, “so long”</p>\n"),
    ]


@pytest.mark.parametrize("role", ["editor", "auditor"])
def test_only_who_may_connect_takes_the_originals_away(two_originals, login, role: str):
    assert login(role).get(ORIGINALS).status_code == 403
