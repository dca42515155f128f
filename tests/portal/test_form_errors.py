"""A refused form says so in the page's title, and in a summary that takes the focus and links to each field."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from portal.models import Domain, Membership, Role
from tests.support.furnished_domain import make_user


@pytest.fixture
def settings_page(client: Client, domain: Domain) -> str:
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=domain, user=user, role=Role.OWNER)
    client.force_login(user)
    return reverse("portal:settings", args=[domain.name])


def read(response) -> str:
    return " ".join(response.content.decode().split())


def test_a_refused_form_is_summed_up_in_the_title_and_on_top(client: Client, settings_page: str):
    html = read(client.post(settings_page, {"time_zone": "Europe/Nowhere"}))

    assert "<title> Error: Domain settings" in html
    assert re.search(r'<div class="note bad" id="errors" role="alert" tabindex="-1" autofocus>', html)
    assert "Not saved. 1 field needs attention." in html
    assert '<a href="#id_time_zone">Time zone</a>:' in html
    assert 'id="id_time_zone"' in html


def test_an_accepted_form_and_a_page_say_nothing_of_errors(client: Client, settings_page: str):
    pages = [
        read(client.get(settings_page)),
        read(client.post(settings_page, {"time_zone": "Europe/London"}, follow=True)),
    ]

    assert [("Error:" in html, 'id="errors"' in html) for html in pages] == [(False, False)] * 2


def test_a_refused_sign_in_is_summed_up_too(client: Client, db):
    html = read(client.post(reverse("account_login"), {"login": "dana@acme.example", "password": ""}))

    assert "<title>Error: Sign in" in html
    assert '<a href="#id_password">Password</a>:' in html
    assert "Not saved" not in html
