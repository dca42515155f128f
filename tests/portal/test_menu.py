"""The menu marks the entry that the page belongs to, found from its address."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from portal.context_processors import find_menu_entry
from portal.models import Membership, Role
from tests.support.access_table import list_addresses
from tests.support.furnished_domain import make_user

ENTRIES = {
    "overview",
    "senders",
    "groups",
    "templates",
    "brand",
    "fields",
    "media",
    "campaigns",
    "results",
    "releases",
    "deliveries",
    "drift",
    "syncs",
    "ledger",
    "members",
    "settings",
    "integrations",
}


@pytest.mark.parametrize(
    ("page", "entry"),
    [
        ("portal:overview", "Overview"),
        ("portal:settings", "Domain settings"),
        ("portal:sign_in", "Domain settings"),
        ("portal:sign_in_saml", "Domain settings"),
        ("portal:members", "Members"),
        ("portal:integrations", "Integrations"),
        ("integrations:outreach", "Integrations"),
        ("integrations:outreach_proof", "Integrations"),
        ("integrations:runs", "Syncs"),
        ("integrations:ledger_calls", "Scope ledger"),
        ("signatures:senders", "Senders"),
        ("signatures:campaign_new", "Campaigns"),
        ("signatures:brand", "Brand"),
        ("signatures:drift", "Edited in Outreach"),
        ("signatures:left_alone", "Edited in Outreach"),
        ("signatures:counting", "Results"),
    ],
)
def test_a_page_marks_the_one_entry_it_belongs_to(client, domain, page, entry):
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=domain, user=user, role=Role.OWNER)
    client.force_login(user)

    html = client.get(reverse(page, args=[domain.name])).content.decode()

    menu = html[html.index('aria-label="Main"') : html.index("</nav>")]
    assert re.findall(r'aria-current="page">([^<]+)<', menu) == [entry]


def test_every_address_of_a_domain_belongs_to_an_entry():
    routes = [route for route in list_addresses() if "domains/<str:domain>/" in route]

    assert len(routes) > 80
    assert {find_menu_entry(route.lstrip("/")) for route in routes} <= ENTRIES
