"""A connected domain with people in teams, as the pages see it: rows only, nothing is called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from portal.models import Domain, Role, User
from signatures.authoring.templates import assign_template, save_template
from signatures.campaigns.banners import PlaceDetails, change_place
from signatures.campaigns.editing import start_campaign
from signatures.models import (
    Campaign,
    DecisionKey,
    Group,
    Release,
    Sender,
)
from tests.support.campaigns import BY, add_banner, make_campaign
from tests.support.company import Company, found_company
from tests.support.deliveries import publish_drafts
from tests.support.fields import use
from tests.support.release_pages import edit_brand
from tests.support.self_service import PORTAL, sign_in_as, switch_on


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


@pytest.fixture
def running(company, domain: Domain) -> Campaign:
    """A campaign of no end with one banner, started, in a domain whose place is on."""
    change_place(domain, PlaceDetails(is_on=True, width=480, height=120), actor=BY)
    company.add("Ana Silva", teams=("Ant",))
    DecisionKey.objects.create(domain=domain, name="Gateway", prefix="p", key_sha256="d")
    campaign = make_campaign(domain, starts_at=datetime(2024, 1, 1, tzinfo=UTC), ends_at=None)
    add_banner(campaign)
    start_campaign(campaign, actor=BY)
    return campaign


@pytest.fixture
def published(company: Company, bystander: Company) -> Company:
    """Two senders, one of them in a team, and everything published as release 1, here and at the bystander's."""
    company.add("Ana Silva")
    company.add("Tom Okafor", teams=("West",))
    Release.objects.all().delete()
    publish_drafts(company.domain)
    publish_drafts(bystander.domain)
    edit_brand(bystander.domain, name="bystander brand")
    return company


@pytest.fixture
def people(company, bystander) -> tuple[Sender, Sender, Sender]:
    """Two people of the domain and one of another, all with a shouted title."""
    ana = company.add("Ana Silva", title="VP OF SALES", custom1="https://meet.acme.example/ana")
    ben = company.add("Ben Okoro", title="Engineer")
    bea = bystander.add("Bea Byrne", title="VP OF SALES", email="bea2@bystander.example")
    for one in (company, bystander):
        use(one.domain, "<p>{{ sender.name }}</p><p>{{ sender.title }}</p><p>{{ sender.calendar_url }}</p>")
    return ana, ben, bea


@pytest.fixture
def offices(company, bystander) -> dict[str, Sender]:
    """Two groups and a domain beside them, all with the default group's template."""
    for other in (company, bystander):
        standard = save_template(other.domain, name="Always", source="<p>Always</p>", actor=BY).template
        default = Group.objects.get(domain=other.domain, is_default=True)
        assign_template(other.domain, template=standard, group=default, actor=BY)
    for name in ("Winter", "Fair"):
        save_template(company.domain, name=name, source=f"<p>{name}</p>", actor=BY)
    return {
        "West": company.add("Ana Silva", teams=("West",)),
        "East": company.add("Tom Okafor", teams=("East",)),
        "theirs": bystander.add("Kim Theirs", teams=("West",)),
    }


@pytest.fixture
def priya(company: Company, settings: Any) -> Sender:
    settings.PUBLIC_URL = PORTAL
    switch_on(company.domain)
    return company.add("Priya Raman", title="Account Executive", phone="+1 312-555-0164")


@pytest.fixture
def dan(company: Company) -> Sender:
    """Another sender of the same domain, who must not change."""
    return company.add("Dan Cole")


@pytest.fixture
def stranger(bystanders: Company) -> Sender:
    """A sender of another domain that has self-service too."""
    switch_on(bystanders.domain)
    return bystanders.add("Bo Berg", email="bo@bystander.example")


@pytest.fixture
def me(priya: Sender) -> Client:
    return sign_in_as(priya)
