"""The page on which an owner sets SAML up: what it stores, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.models import LedgerEntry
from portal.models import Domain, IdentityProvider, User
from tests.support.database_text import dump_database
from tests.support.page_text import words_of
from tests.support.saml_provider import (
    ENTITY_ID,
    MAIL,
    SSO_URL,
    Signer,
)
from tests.support.saml_sign_in import BASE, LOGIN


@pytest.fixture
def page(client: Client, domain: Domain, owner: User) -> str:
    client.force_login(owner)
    return reverse("portal:sign_in_saml", args=[domain.name])


@pytest.fixture
def typed(signer: Signer) -> dict[str, str]:
    return {
        "saml_entity_id": ENTITY_ID,
        "saml_sso_url": SSO_URL,
        "saml_certificates": signer.pem,
        "saml_email_attribute": MAIL,
        "default_role": "",
    }


def test_an_owner_sets_it_up_and_what_was_set_is_in_the_ledger(client, page, typed, domain, owner, bystander):
    done = client.post(page, typed)
    shown = words_of(client.get(page))

    assert done["Location"] == page
    row = IdentityProvider.objects.get()
    assert (row.domain, row.protocol, row.saml_entity_id) == (domain, "saml", ENTITY_ID)
    detail = LedgerEntry.objects.get().detail
    assert f"saml_entity_id: {ENTITY_ID}" in detail
    assert "saml_certificates: SHA-256 " in detail
    assert "BEGIN" not in detail
    assert f"login.acme.example: valid until {timezone.now() + timedelta(days=365):%-d %B %Y}" in shown
    assert "/accounts/sso/acme.example/saml/acs/" in shown
    assert "Client secret" not in shown
    other = reverse("portal:sign_in_oidc", args=[domain.name])
    oidc = {"issuer": "https://x.example", "client_id": "c"}
    refused = words_of(client.post(other, oidc | {"client_secret": "s"}, follow=True))
    assert "Not saved. A domain has one provider. Remove SAML 2.0 first." in refused
    SocialAccount.objects.create(user=owner, provider=domain.name, uid="person-1")
    SocialAccount.objects.create(user=bystander, provider="bystander.example", uid="person-1")
    client.post(reverse("portal:sign_in_remove", args=["acme.example"]))
    assert not IdentityProvider.objects.exists()
    assert SocialAccount.objects.get().user == bystander


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"saml_sso_url": "http://login.acme.example/"}, "saml_sso_url", "starts with https://"),
        ({"saml_sso_url": "http://127.0.0.1/"}, "saml_sso_url", "starts with https://"),
        ({"saml_sso_url": "https://login.acmé.example/"}, "saml_sso_url", "starts with https://"),
        ({"saml_certificates": "MIIB"}, "saml_certificates", "Paste the certificate in PEM"),
        ({"saml_entity_id": ""}, "saml_entity_id", "This field is required."),
        ({"default_role": "owner"}, "default_role", "Select a valid choice"),
        ({"is_required": "on"}, "is_required", "Let an owner sign in this way once first"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(client, page, typed, changes, field, words):
    response = client.post(page, typed | changes)

    assert words in str(response.context["form"].errors[field])
    assert not IdentityProvider.objects.exists()


def test_certificates_that_nobody_should_trust_are_refused(client, page, typed, signer):
    expired = Signer(key=signer.key, days=-1).pem
    private = signer.private_pem.decode()

    refusals = [
        str(
            client.post(page, typed | {"saml_certificates": text}).context["form"].errors["saml_certificates"]
        )
        for text in (expired, signer.pem + private, signer.pem * 5)
    ]

    assert [
        "expired on" in refusals[0],
        "contains a private key" in refusals[1],
        "at most 4" in refusals[2],
    ] == [True] * 3
    assert not IdentityProvider.objects.exists()


def test_a_private_key_that_was_pasted_by_mistake_is_kept_nowhere_and_not_said_back(
    client, page, typed, signer
):
    pasted = typed | {"saml_certificates": signer.pem + signer.private_pem.decode()}
    secret = signer.private_pem.decode().splitlines()[3]

    refused = client.post(page, pasted)
    session = client.session
    session["authenticated_at"] = 0.0
    session.save()
    asked = client.post(page, pasted)

    assert "contains a private key" in words_of(refused)
    assert asked.status_code == 302
    assert secret not in refused.content.decode() + str(dict(client.session)) + dump_database()
    assert ENTITY_ID in str(dict(client.session))


# ── without the extra ────────────────────────────────────────────────────────────────────────────
def test_without_the_extra_the_page_says_so_and_everything_else_works(
    client, page, typed, signer, domain, settings
):
    settings.HAS_SAML = False

    shown = client.get(page)
    saved = client.post(page, typed, follow=True)

    assert "which is not installed." in words_of(shown)
    assert 'name="saml_entity_id"' not in shown.content.decode()
    assert 'name="issuer"' in client.get(reverse("portal:sign_in_oidc", args=[domain.name])).content.decode()
    assert "Not saved. SAML needs the extra" in words_of(saved)
    assert not IdentityProvider.objects.exists()


def test_a_provider_that_was_set_up_before_the_extra_went_says_so_and_can_be_removed(
    client, page, provider, settings
):
    settings.HAS_SAML = False

    out: Any = Client().get(LOGIN)

    assert "It needs the extra" in words_of(out)
    assert [Client().get(BASE).status_code, Client().post(f"{BASE}acs/").status_code] == [404, 404]
    client.post(reverse("portal:sign_in_remove", args=["acme.example"]))
    assert not IdentityProvider.objects.exists()
