"""A connected domain with people in teams, as the pages see it: rows only, nothing is called."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from portal.models import Domain, Role, User
from tests.support.company import Company, found_company


@pytest.fixture
def bystander(other_domain: Domain) -> Company:
    """Another domain with a sender, a group and a template of its own, which must never show or change."""
    company = found_company(other_domain)
    company.add("Bea Bystander", teams=("Bystanders",), email="bea@bystander.example")
    return company


@pytest.fixture
def login(domain: Domain, make_member: Callable[..., User]) -> Callable[[str], Client]:
    """Return a browser in which a member of that role is logged in."""

    def enter(role: str) -> Client:
        client = Client()
        client.force_login(make_member(domain, Role(role)))
        return client

    return enter


@pytest.fixture
def admin(login: Callable[[str], Client]) -> Client:
    return login(Role.ADMIN)


@pytest.fixture
def editor(login: Callable[[str], Client]) -> Client:
    return login(Role.EDITOR)


@pytest.fixture
def auditor(login: Callable[[str], Client]) -> Client:
    return login(Role.AUDITOR)
