"""SAML answers that are kept between two requests, requests that are none, and who is signed in meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from lxml import etree

from portal.models import IdentityProvider
from tests.support.page_text import words_of
from tests.support.saml_provider import (
    SSO_URL,
    find_assertion,
    pack,
    write_answer,
)
from tests.support.saml_sign_in import ACS, BASE, LOGIN, begin, sign_in
from tests.support.sso_sign_in import is_in, read_log


@pytest.mark.parametrize("field", ["saml_entity_id", "saml_certificates", "saml_sso_url"])
def test_a_kept_answer_of_a_provider_that_was_replaced_is_not_taken_up(
    client,
    signer,
    stranger,
    provider,
    dana,
    caplog,
    field,
):
    told = begin(client)
    response = write_answer(told)
    signer.sign(find_assertion(response))
    taken = Client().post(f"{BASE}acs/", {"SAMLResponse": pack(response)})
    client.cookies["countersign_saml"] = taken.cookies["countersign_saml"].value
    other = {
        "saml_entity_id": "https://other.example/saml",
        "saml_certificates": stranger.pem,
        "saml_sso_url": f"{SSO_URL}/other",
    }
    IdentityProvider.objects.update(**{field: other[field]})

    refused: Any = client.get(taken["Location"])

    assert "settings have changed" in words_of(refused)
    assert read_log(caplog)[0][1].endswith("provider was replaced meanwhile")
    assert not is_in(client)


def test_a_provider_set_up_anew_with_the_same_words_is_another(client, signer, provider, dana):
    response = write_answer(begin(client))
    signer.sign(find_assertion(response))
    taken = Client().post(f"{BASE}acs/", {"SAMLResponse": pack(response)})
    client.cookies["countersign_saml"] = taken.cookies["countersign_saml"].value
    IdentityProvider.objects.all().delete()
    provider.pk = None
    provider.save()

    assert "settings have changed" in words_of(client.get(taken["Location"]))
    assert not is_in(client)


def test_our_metadata_holds_until_it_is_changed(client, provider):
    metadata = etree.fromstring(client.get(BASE).content)

    assert metadata.get("validUntil") is None
    assert metadata.get("entityID") == f"http://testserver{BASE}"


@pytest.mark.parametrize("length", [None, "", "x", "300000", "9" * 30, "-1"])
def test_a_body_that_is_too_large_or_does_not_say_is_not_read(client, provider, length):
    class Body:
        was_read = False

        def read(self, *args: Any) -> bytes:
            self.was_read = True
            return b""

        readline = read

    body = Body()
    sent: dict[str, Any] = {} if length is None else {"CONTENT_LENGTH": length}

    refused: Any = client.generic(
        "POST", f"{BASE}acs/", b"", content_type="application/x-www-form-urlencoded",
        **sent, **{"wsgi.input": body},
    )  # fmt: skip

    assert (refused.status_code, body.was_read) == (413, False)
    assert "too large, or its size is not given" in words_of(refused)


def test_somebody_who_is_signed_in_is_asked_before_they_become_another(
    client,
    signer,
    provider,
    dana,
    bystander,
):
    client.force_login(bystander)

    asked = sign_in(client, signer)
    still = client.session["_auth_user_id"]
    client.post("/accounts/sso/acme.example/switch/", {"act": "switch"})

    assert asked["Location"] == "/accounts/sso/acme.example/switch/"
    assert (still, client.session["_auth_user_id"]) == (str(bystander.pk), str(dana.pk))


def test_an_address_alone_begins_nothing(client, provider):
    shown: Any = client.get(LOGIN)

    assert "Continue to login.acme.example" in words_of(shown)
    assert "socialaccount_states" not in client.session
    assert Client(enforce_csrf_checks=True).post(LOGIN).status_code == 403
    assert ACS.endswith("/acs/")
