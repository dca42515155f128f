"""Releases in Django admin: to look at; delivery settings are edited by the portal's rules and are in the ledger."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations.models import LedgerEntry
from signatures.models import DeliverySettings, Release
from tests.support.deliveries import publish_drafts

SETTINGS = "/admin/signatures/deliverysettings/"
FORM = {
    "automatic_cap_percent": "20",
    "stages": "3, 30",
    "stage_pause_minutes": "5",
    "refusal_limit": "2",
    "drift_limit": "2",
    "live_fields": ["sender.title"],
}


@pytest.fixture
def operator(client: Client, django_user_model) -> Client:
    client.force_login(django_user_model.objects.create_user("op@portal.example", "pass word", is_staff=True))
    return client


def test_delivery_settings_are_edited_in_words_and_nobody_elses_change(
    company, other_domain, operator: Client
):
    DeliverySettings.objects.for_domain(company.domain, create=True)
    theirs = DeliverySettings.objects.for_domain(other_domain, create=True)
    page = f"{SETTINGS}{company.domain.pk}/change/"

    assert 'value="5, 50"' in operator.get(page).content.decode()
    assert operator.post(page, FORM).status_code == 302

    changed = DeliverySettings.objects.get(pk=company.domain.pk)
    assert (changed.stages, changed.live_fields, changed.automatic_cap_percent) == (
        [3, 30, None],
        ["sender.title"],
        20,
    )
    assert LedgerEntry.objects.get(action="delivery settings changed").domain == company.domain
    theirs.refresh_from_db()
    assert theirs.stages == [5, 50, None]


@pytest.mark.parametrize(
    "wrong",
    [{"stages": "5, all"}, {"stages": "0"}, {"automatic_cap_percent": "101"}, {"quiet_from": "20:00"}],
)
def test_settings_that_the_portal_could_not_follow_are_refused(
    company, operator: Client, wrong: dict[str, str]
):
    DeliverySettings.objects.for_domain(company.domain, create=True)

    response = operator.post(f"{SETTINGS}{company.domain.pk}/change/", FORM | wrong)

    assert response.status_code == 200 and "errorlist" in response.content.decode()
    assert DeliverySettings.objects.get(pk=company.domain.pk).stages == [5, 50, None]


def test_releases_are_listed_and_typed_into_by_nobody(company, operator: Client):
    company.add("Ana Silva")
    publish_drafts(company.domain)
    release = Release.objects.get(domain=company.domain)

    listed = operator.get("/admin/signatures/release/?state__exact=live").content.decode()
    operator.post(f"/admin/signatures/release/{release.pk}/change/", {"note": "Mine"})

    assert "Release 1" in listed
    assert Release.objects.get(pk=release.pk).note == ""
