"""Queries of pages: a list asks the database as often for many senders, groups and templates as for few, and seldom."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from portal.models import Membership, Role
from signatures.senders import company_size
from tests.support.furnished_domain import FurnishedDomain, furnish, make_user
from tests.support.large_domain import AT_MOST, MADE_WHEN_OPENED, MORE, PAGES, add, open_pages


@pytest.fixture
def furnished(db) -> FurnishedDomain:
    return furnish("acme.example")


@pytest.fixture
def as_owner(furnished: FurnishedDomain) -> Client:
    user = make_user("dana@acme.example")
    Membership.objects.create(domain=furnished.domain, user=user, role=Role.OWNER)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    client = Client()
    client.force_login(user)
    return client


def test_a_page_asks_as_often_for_a_large_domain_as_for_a_small_one(furnished, as_owner):
    add(furnished, senders=30, others=5)
    open_pages(as_owner, furnished, MADE_WHEN_OPENED)
    small = {page: len(asked) for page, asked in open_pages(as_owner, furnished).items()}

    add(furnished, senders=300, others=40)
    large = {page: len(asked) for page, asked in open_pages(as_owner, furnished).items()}

    assert {page: (small[page], large[page]) for page in PAGES if large[page] != small[page]} == {}
    assert {page: large[page] for page in PAGES if large[page] > MORE.get(page, AT_MOST)} == {}


def test_a_page_of_a_company_too_large_to_be_rendered_at_once_asks_less(furnished, as_owner, monkeypatch):
    add(furnished, senders=30, others=5)
    open_pages(as_owner, furnished, MADE_WHEN_OPENED)
    monkeypatch.setattr(company_size, "AT_ONCE", 20)

    asked = {page: len(queries) for page, queries in open_pages(as_owner, furnished, list(MORE)).items()}

    assert {page: number for page, number in asked.items() if number > AT_MOST} == {}
