"""The recipient variable: tried out with a test mail, and turned on only then or by somebody's word."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import LedgerEntry
from signatures.media.encoding import PIXEL
from signatures.models import BannerPlace, RecipientPrivacy, VariableTest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("look_ups_end")]

EMAIL = "{{email}}"


def url(name: str, domain) -> str:
    return reverse(f"signatures:{name}", args=[domain.name])


@pytest.fixture
def at_desk(client, owner):
    client.force_login(owner)
    return client


@pytest.fixture
def test_key(at_desk, domain) -> str:
    at_desk.post(url("variable_test", domain), {"variable": EMAIL})
    return VariableTest.objects.get().key


def fetch(key: str, value: str, method: str = "get"):
    return getattr(Client(), method)(f"/t/{key}.png?r={value}")


def test_a_test_shows_what_to_copy_and_that_nothing_arrived(at_desk, domain, test_key, settings):
    page = at_desk.get(url("variable", domain)).content.decode()

    assert f"{settings.PUBLIC_URL}/t/{test_key}.png?r={{{{email}}}}&quot;" in page
    assert "No request received yet" in page


@pytest.mark.parametrize(
    ("value", "outcome", "words"),
    [
        (EMAIL, "unexpanded", "The variable arrived unchanged"),
        (quote(EMAIL), "unexpanded", "The variable arrived unchanged"),
        ("Kim%40Partner.example", "expanded", "K…@P….example"),
        ("kim+news@partner.example", "expanded", "k…@p….example"),
        ("", "other", "A value arrived"),
        ("Kim", "other", "A value arrived"),
        ("a@b.example,c@d.example", "other", "A value arrived"),
        ("{{kim@partner.example}}", "other", "A value arrived"),
    ],
)
def test_what_arrived_is_on_the_page_and_no_address_is_kept(at_desk, domain, test_key, value, outcome, words):
    response = fetch(test_key, value)

    assert (response.status_code, response.content, response["Cache-Control"]) == (200, PIXEL, "no-store")
    assert not response.cookies
    assert VariableTest.objects.get().outcome == outcome
    assert words in at_desk.get(url("variable", domain)).content.decode()
    assert "partner" not in str(VariableTest.objects.values().get()).lower()


def test_an_address_once_seen_is_not_lost_to_a_scanner(test_key):
    fetch(test_key, "kim@partner.example")

    fetch(test_key, EMAIL)

    assert VariableTest.objects.get().masked == "k…@p….example"


def test_what_is_no_open_test_changes_nothing_and_is_answered_alike(test_key, time_machine):
    strange = fetch("A" * 22, "kim@partner.example")
    asked = fetch(test_key, "kim@partner.example", "head")
    time_machine.move_to(timezone.now() + timedelta(days=8))
    late = fetch(test_key, "kim@partner.example")

    assert (strange.status_code, strange.content) == (late.status_code, late.content) == (200, PIXEL)
    assert asked.status_code == 200
    assert VariableTest.objects.get().arrived_at is None
    assert Client().post(f"/t/{test_key}.png").status_code == 405


def test_it_is_turned_on_after_a_test_showed_an_address_and_off_again(at_desk, domain, test_key):
    before = BannerPlace.objects.for_domain(domain).version
    refused = at_desk.post(url("variable_on", domain), {"variable": EMAIL})
    assert refused.status_code == 422
    assert "No test mail has shown" in refused.content.decode()
    assert RecipientPrivacy.objects.for_domain(domain).recipient_variable == ""

    fetch(test_key, "kim@partner.example")
    assert at_desk.post(url("variable_on", domain), {"variable": "%other%"}).status_code == 422
    at_desk.post(url("variable_on", domain), {"variable": EMAIL})

    assert RecipientPrivacy.objects.for_domain(domain).recipient_variable == EMAIL
    assert BannerPlace.objects.for_domain(domain).version == before + 1
    at_desk.post(url("variable_off", domain))
    assert RecipientPrivacy.objects.for_domain(domain).recipient_variable == ""
    acts = LedgerEntry.objects.filter(action="recipient variable changed").order_by("id")
    assert list(acts.values_list("detail", flat=True)) == ["{{email}}, a test mail showed it", "off"]


def test_it_is_turned_on_without_a_test_by_typing_the_domains_name(at_desk, domain, other_domain):
    RecipientPrivacy.objects.create(domain=other_domain)
    typed = {"variable": EMAIL, "typed": other_domain.name}
    assert at_desk.post(url("variable_on", domain), typed).status_code == 422

    at_desk.post(url("variable_on", domain), {**typed, "typed": domain.name.upper()})

    assert RecipientPrivacy.objects.for_domain(domain).recipient_variable == EMAIL
    assert RecipientPrivacy.objects.get(domain=other_domain).recipient_variable == ""


@pytest.mark.parametrize(
    "variable", ["", "email", "{{ email }}", "{{email}", '{{email}}"', "{{e}}&x=1", "{{%}}", "<b>", "a" * 65]
)
def test_what_can_be_no_variable_is_refused_at_the_field(at_desk, domain, variable):
    for name in ("variable_test", "variable_on"):
        response = at_desk.post(url(name, domain), {"variable": variable, "typed": domain.name})
        assert response.status_code == 422

    assert not VariableTest.objects.exists()
    assert RecipientPrivacy.objects.for_domain(domain).recipient_variable == ""
