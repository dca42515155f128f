"""The pages about recipients: keys, what is asked, one person's data, and how long things are kept."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.connection.lookup_breaker import note_failure
from integrations.models import LedgerEntry, LookupState
from portal.models import Role
from signatures.decisions.api_keys import find_key, make_key
from signatures.decisions.decide import decide
from signatures.models import Decision, DecisionKey, RecipientPrivacy
from signatures.recipients.subject_access import get_kept
from tests.support.page_text import words_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("look_ups_end")]

KIM = "kim@partner.example"


def url(name: str, domain, *args) -> str:
    return reverse(f"signatures:{name}", args=[domain.name, *args])


@pytest.fixture
def at_desk(client, owner):
    client.force_login(owner)
    return client


def test_a_key_is_shown_once_and_taken_back(at_desk, domain, owner, other_domain):
    theirs = make_key(other_domain, "Theirs", actor="x").row

    made = at_desk.post(url("key_make", domain), {"name": "Gateway"})

    [text] = re.findall(r"csk_[A-Za-z0-9_-]{43}", made.content.decode())
    assert made["Cache-Control"] == "no-store"
    key = find_key(text)
    assert (key.domain, key.name, key.created_by_label) == (domain, "Gateway", owner.email)
    page = at_desk.get(url("recipients", domain)).content.decode()
    assert text not in page
    assert key.prefix in page
    assert "Theirs" not in page
    at_desk.post(url("key_revoke", domain, key.pk))
    assert find_key(text) is None
    assert at_desk.post(url("key_revoke", domain, theirs.pk)).status_code == 404
    assert DecisionKey.objects.get(pk=theirs.pk).revoked_at is None
    acts = LedgerEntry.objects.filter(domain=domain, action__startswith="decision key").order_by("id")
    assert list(acts.values_list("action", flat=True)) == ["decision key made", "decision key revoked"]


def test_a_key_without_a_name_is_not_made(at_desk, domain):
    response = at_desk.post(url("key_make", domain), {"name": " "})

    assert response.status_code == 422
    assert "This field is required" in response.content.decode()
    assert not DecisionKey.objects.exists()


def test_making_a_key_asks_again_who_it_is_after_a_while(at_desk, domain, time_machine):
    time_machine.move_to(timezone.now() + timedelta(minutes=6))

    response = at_desk.post(url("key_make", domain), {"name": "Gateway"})

    assert response.status_code == 302
    assert not DecisionKey.objects.exists()


def test_the_page_says_what_is_asked_and_how_look_ups_go(at_desk, domain, connection, campaign):
    page = at_desk.get(url("recipients", domain)).content.decode()
    assert "None: no active audience uses prospect fields" in page
    assert "Working" in page

    campaign("Renewals", ("tags", "has_any", ["renewal"]), ("custom7", "is", ["gold"]))
    campaign("Paused", ("region", "is", ["emea"]), paused_at=timezone.now())
    for _ in range(5):
        note_failure(connection)

    page = at_desk.get(url("recipients", domain)).content.decode()
    assert "Tags, Custom field 7, and the e-mail address" in page
    assert "Region" not in page
    assert "Suspended until" in page
    assert "5 failures in a row" in page
    LookupState.objects.all().delete()
    connection.scopes_switched_off = ["prospects.read"]
    connection.save()
    assert "The permission prospects.read was switched off here" in words_of(
        at_desk.get(url("recipients", domain))
    )


def test_one_persons_data_is_shown_taken_along_and_erased(at_desk, domain, place, sender, campaign):
    campaign("Partners", ("email_domain", "is", ["partner.example"]))
    for address in (KIM, "lee@partner.example"):
        decide(domain, sender, address, way=Decision.Way.API, at=timezone.now())

    shown = at_desk.post(url("person", domain), {"address": KIM})

    words = words_of(shown)
    assert shown["Cache-Control"] == "no-store"
    assert "Partners" in words
    assert "Erase 1 decision and 0 list entries" in words
    exported = at_desk.post(url("person_export", domain), {"address": KIM})
    assert exported["Content-Disposition"].startswith('attachment; filename="recipient-')
    assert [one["campaign"] for one in json.loads(exported.content)["decisions"]] == ["Partners"]
    at_desk.post(url("person_erase", domain), {"address": KIM})
    assert get_kept(domain, KIM).is_nothing
    assert "No data" in at_desk.post(url("person", domain), {"address": KIM}).content.decode()
    assert not get_kept(domain, "lee@partner.example").is_nothing
    acts = list(LedgerEntry.objects.filter(action__startswith="recipient").values_list("action", flat=True))
    assert sorted(acts) == ["recipient erased", "recipient exported"]


def test_what_is_no_address_is_said_at_the_field(at_desk, domain):
    response = at_desk.post(url("person", domain), {"address": "kim at partner"})

    assert response.status_code == 422
    assert "Enter one address" in response.content.decode()


def test_shorter_days_are_saved_only_after_it_was_seen_what_they_remove(at_desk, domain, place):
    for age in (5, 20, 40):
        Decision.objects.create(
            domain=domain, recipient_key="k", way="api", at=timezone.now() - timedelta(days=age)
        )
    days = {"decision_days": "10", "event_days": "90"}

    preview = words_of(at_desk.post(url("retention_change", domain), days))

    assert "2 decisions and 0 impressions and clicks would be removed" in preview
    assert RecipientPrivacy.objects.for_domain(domain).decision_days == 30
    changed = at_desk.post(url("retention_change", domain), {**days, "confirmed": "5/90"})
    assert "would be removed" in changed.content.decode(), "other days than those that were seen"
    assert at_desk.post(url("retention_change", domain), {**days, "confirmed": "10/90"}).status_code == 302
    assert RecipientPrivacy.objects.for_domain(domain).decision_days == 10
    assert LedgerEntry.objects.get(action="retention changed").detail.startswith("decisions 30 → 10 days")
    assert Decision.objects.count() == 3


@pytest.mark.parametrize(
    ("name", "value"), [("decision_days", "0"), ("event_days", "6"), ("event_days", "x")]
)
def test_days_that_cannot_be_are_refused_at_the_field(at_desk, domain, name, value):
    typed = {"decision_days": "30", "event_days": "90", name: value}

    response = at_desk.post(url("retention_change", domain), {**typed, "confirmed": "30/90"})

    assert response.status_code == 422
    assert RecipientPrivacy.objects.for_domain(domain).event_days == 90


@pytest.mark.parametrize("role", [Role.EDITOR, Role.AUDITOR])
def test_editors_and_auditors_look_and_change_nothing(client, domain, make_member, role):
    key = make_key(domain, "Gateway", actor="x").row
    client.force_login(make_member(domain, role))

    pages = [client.get(url(name, domain)) for name in ("recipients", "retention")]

    assert [page.status_code for page in pages] == [200, 200]
    assert not any(
        b"<button" in re.sub(rb"(?s)<header.*?</header>", b"", page.content).partition(b"<main")[2]
        for page in pages
    )
    refused = [
        client.post(url("key_make", domain), {"name": "x"}),
        client.post(url("key_revoke", domain, key.pk)),
        client.get(url("person", domain)),
        client.post(url("person", domain), {"address": KIM}),
        client.post(url("person_export", domain), {"address": KIM}),
        client.post(url("person_erase", domain), {"address": KIM}),
        client.post(url("retention_change", domain), {}),
    ]
    assert [response.status_code for response in refused] == [403] * 7
