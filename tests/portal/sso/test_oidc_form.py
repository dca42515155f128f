"""The page on which an owner sets OpenID Connect up: what it stores, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.crypto.rotation import reseal_all
from integrations.models import LedgerEntry
from portal.models import Domain, IdentityProvider, User
from tests.support.database_text import dump_database
from tests.support.oidc_provider import CONFIGURATION, Reply, running
from tests.support.page_text import words_of

SECRET = "canary-of-a-client-secret"


@pytest.fixture
def idp() -> Iterator[str]:
    with running() as provider:
        yield provider.issuer


@pytest.fixture
def page(client: Client, domain: Domain, owner: User, settings: Any) -> str:
    settings.DEBUG = True
    client.force_login(owner)
    return reverse("portal:sign_in_oidc", args=[domain.name])


def test_an_owner_sets_it_up_and_the_secret_is_sealed_and_told_to_nobody(client, page, idp, domain):
    typed = {
        "issuer": idp,
        "client_id": "countersign",
        "client_secret": SECRET,
        "default_role": "",
    }

    done = client.post(page, typed)
    shown = client.get(page)

    assert done["Location"] == page
    assert SECRET not in dump_database() + shown.content.decode()
    assert LedgerEntry.objects.get().detail == f"issuer: {idp}, client_id: countersign, client_secret"
    assert reseal_all(writes=False).unreadable == []
    client.post(page, typed | {"client_secret": "", "default_role": "auditor"})
    assert IdentityProvider.objects.get().default_role == "auditor"
    moved = client.post(page, typed | {"client_secret": "", "issuer": f"{idp}/"})
    assert "issuer" in moved.context["form"].errors
    client.post(reverse("portal:sign_in_remove", args=[domain.name]))
    assert not IdentityProvider.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"issuer": "http://login.acme.example"}, "issuer", "starts with https://"),
        ({"issuer": "https://dana:x@login.acme.example"}, "issuer", "starts with https://"),
        ({"issuer": "https://127.0.0.1:1"}, "issuer", "no connection could be made. Check its address."),
        ({"client_secret": ""}, "client_secret", "This field is required."),
        ({"default_role": "owner"}, "default_role", "Select a valid choice"),
        ({"is_required": "on"}, "is_required", "Let an owner sign in this way once first"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(client, page, idp, changes, field, words):
    typed = {"issuer": idp, "client_id": "countersign", "client_secret": SECRET} | changes

    response = client.post(page, typed)

    assert words in str(response.context["form"].errors[field])
    assert SECRET not in response.content.decode()
    assert not IdentityProvider.objects.exists()


@pytest.mark.parametrize(
    ("reply", "issuer", "cause"),
    [
        (None, "https://login.acme.invalid", "its host name is not in the DNS"),
        (Reply({}, 404), "", "it answered with status 404"),
        (Reply(b"<p>Welcome</p>", content_type="text/html"), "", "its configuration is not JSON"),
        (None, "https", "no TLS connection could be made"),
        (Reply({"issuer": "https://evil.example"}), "", "names another issuer"),
    ],
)
def test_the_form_names_the_cause_of_a_wrong_issuer(client, page, reply, issuer, cause):
    with running() as provider:
        if reply:
            provider.replies[CONFIGURATION] = reply
        typed = provider.issuer.replace("http", "https") if issuer == "https" else issuer or provider.issuer

        refused = client.post(page, {"issuer": typed, "client_id": "countersign", "client_secret": SECRET})

    assert cause in words_of(refused)
    assert not IdentityProvider.objects.exists()


def test_the_overview_says_how_members_sign_in_and_links_to_each_protocol(client, page, idp, domain):
    overview = reverse("portal:sign_in", args=[domain.name])
    before = words_of(client.get(overview))

    typed = {"issuer": idp, "client_id": "countersign", "client_secret": SECRET, "default_role": "auditor"}
    client.post(page, typed)

    shown = client.get(overview)
    assert "Sign-in Password" in before
    assert "Default role for new users None: members are invited" in before
    assert "Sign-in Single sign-on or password" in words_of(shown)
    assert "Default role for new users Auditor" in words_of(shown)
    assert "SAML 2.0 Not set up A domain has one provider. Remove OpenID Connect first." in words_of(shown)
    for address in (page, reverse("portal:sign_in_saml", args=[domain.name])):
        assert f'href="{address}"' in shown.content.decode()
