"""Tokens as each provider really shapes them, by its documentation: whom they sign in, and what they need set."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from integrations.crypto.sealing import seal
from integrations.models import LedgerEntry
from portal.models import Domain, IdentityProvider, Role, User
from tests.support.oidc_provider import Provider, Reply, running
from tests.support.page_text import words_of
from tests.support.sso_sign_in import DANA, SECRET, come_back, is_in, read_log, set_up

TENANT = "8f14e45f-ceea-467f-a0e6-1d2c3b4a5968"

ENTRA = {
    "aio": "AWQAm/8", "name": "Dana Kaplan", "oid": "00000000-0000-0000-66f3-3332eca7ea81", "rh": "0.AA", "sid": "sid",
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "tid": TENANT, "uti": "fqiBqXLPj0eQa82S", "ver": "2.0",
    "preferred_username": "Dana@acme.example", "nbf": 0,
}  # fmt: skip
OKTA = {
    "sub": "00uid4BxXw6I6TV4m0g3", "ver": 1, "jti": "ID.4eAWJOCMB3", "amr": ["pwd"], "idp": "00oasg1cJ6wfFTe0h7",
    "auth_time": 1_700_000_000, "at_hash": "cpqKfdQA5eH891Ff5oJr_Q", "name": "Dana Kaplan", "email": DANA,
    "preferred_username": DANA,
}  # fmt: skip
GOOGLE = {
    "azp": "countersign", "sub": "110169484474386276334", "hd": "acme.example", "email": DANA, "email_verified": True,
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "name": "Dana Kaplan", "picture": "https://pictures.example/d", "locale": "en",
}  # fmt: skip
KEYCLOAK = {
    "jti": "0b7a4c0e", "sub": "f3a1c5c2-9c59-4c83-bb0d-3f8f4cf2b4b0", "typ": "ID", "azp": "countersign", "acr": "1",
    "auth_time": 1_700_000_000, "sid": "c5bd0b4e", "session_state": "c5bd0b4e", "at_hash": "x", "email_verified": True,
    "name": "Dana Kaplan", "preferred_username": "dana", "given_name": "Dana", "family_name": "Kaplan", "email": DANA,
}  # fmt: skip
PING_ONE = {
    "sub": "5a9c2b0e-7a43-4a2b-9d1e-6f8a3c1b2d4e", "sid": "sid", "auth_time": 1_700_000_000, "acr": "Single",
    "amr": ["pwd"], "at_hash": "x", "email": DANA, "given_name": "Dana", "env": TENANT, "p1.region": "EU",
}  # fmt: skip
PING_FEDERATE = {
    "sub": "dana",
    "jti": "xY",
    "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
    "pi.sri": "Rf",
}
ADFS = {
    "sub": "kpLvOKlBRZEZRiPXeqXOE5ryTPO9P1zg6l1Ps8ypqWY=", "upn": DANA, "unique_name": "ACME\\dana", "pwd_url": "https://a",
    "sid": "S-1-5-21-3623811015-3361044348-30300820-1013", "auth_time": 1_700_000_000, "apptype": "Confidential",
    "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "ver": "1.0", "scp": "openid",
}  # fmt: skip

# What the token says, what the userinfo endpoint does, whether the owner says that the provider vouches,
# and what becomes of it.
NOT_VERIFIED, NO_ADDRESS, IN = "Your address is not verified", "Your company sent no e-mail address", ""
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, bool, str]] = {
    "Entra ID": (ENTRA | {"email": DANA}, {"email": DANA}, True, IN),
    "Entra ID, address in capitals": (ENTRA | {"email": "Dana@ACME.example"}, None, True, IN),
    "Entra ID, without the switch": (ENTRA | {"email": DANA}, {"email": DANA}, False, NOT_VERIFIED),
    "Entra ID with xms_edov": (ENTRA | {"email": DANA, "xms_edov": True}, None, False, IN),
    "Entra ID with xms_edov as a text": (ENTRA | {"email": DANA, "xms_edov": "1"}, None, False, IN),
    "Entra ID with xms_edov as a number": (ENTRA | {"email": DANA, "xms_edov": 1}, None, False, IN),
    "Entra ID, whose xms_edov is false": (ENTRA | {"email": DANA, "xms_edov": False}, None, True, NOT_VERIFIED),
    "Entra ID without email": (ENTRA, None, True, IN),
    "Entra ID with upn alone": (ENTRA | {"preferred_username": None, "upn": DANA}, None, True, IN),
    "Entra ID without email and switch": (ENTRA | {"upn": DANA}, None, False, NO_ADDRESS),
    "Okta's own authorization server": (OKTA, {"email": DANA, "email_verified": True}, False, IN),
    "Okta, of another address": (OKTA, {"email": "x@acme.example", "email_verified": True}, False, NOT_VERIFIED),
    "Okta, not verified": (OKTA, {"email": DANA, "email_verified": False}, False, NOT_VERIFIED),
    "Okta, a custom authorization server": (OKTA | {"email_verified": True}, None, False, IN),
    "Google": (GOOGLE, None, False, IN),
    "Keycloak": (KEYCLOAK, None, False, IN),
    "Keycloak, not verified": (KEYCLOAK | {"email_verified": False}, None, True, NOT_VERIFIED),
    "PingOne": (PING_ONE, {"email": DANA}, True, IN),
    "PingOne, without the switch": (PING_ONE, {"email": DANA}, False, NOT_VERIFIED),
    "PingFederate": (PING_FEDERATE, {"email": DANA}, True, IN),
    "PingFederate, verified": (PING_FEDERATE, {"email": DANA, "email_verified": True}, False, IN),
    "PingFederate without userinfo": (PING_FEDERATE, None, True, NO_ADDRESS),
    "ADFS": (ADFS, None, True, IN),
    "ADFS with email": (ADFS | {"email": DANA, "upn": "dana@corp.acme.example"}, None, True, IN),
    "ADFS without the switch": (ADFS, None, False, NO_ADDRESS),
    "a provider that writes true as a text": (GOOGLE | {"email_verified": "true"}, None, False, IN),
    "a provider that writes True as a text": (GOOGLE | {"email_verified": "True"}, None, False, IN),
    "a provider that writes false as a text": (GOOGLE | {"email_verified": "false"}, None, True, NOT_VERIFIED),
    "a provider that writes 1": (GOOGLE | {"email_verified": 1}, None, False, NOT_VERIFIED),
    "a user name that is no address": (ADFS | {"upn": "dana", "unique_name": DANA}, None, True, NO_ADDRESS),
}  # fmt: skip


@pytest.fixture
def idp() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def bystander(other_domain: Domain, make_member: Callable[..., User]) -> User:
    return make_member(other_domain, Role.OWNER)


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_of_this_shape_signs_its_person_in_or_says_what_is_missing(
    client, idp, domain, make_member, bystander, settings, name
):
    claims, userinfo, vouches, refusal = SHAPES[name]
    dana = make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings, vouches_for_addresses=vouches)
    idp.claims = dict(claims)
    if userinfo is not None:
        idp.replies["/userinfo"] = Reply({"sub": claims["sub"]} | userinfo)

    answer = come_back(client)

    if refusal:
        assert (answer.status_code, refusal in words_of(answer)) == (403, True), words_of(answer)
        assert not is_in(client)
    else:
        assert (answer.status_code, answer["Location"]) == (302, "/"), words_of(answer)
        assert client.session["_auth_user_id"] == str(dana.pk)
    assert User.objects.count() == 2


def test_what_the_userinfo_endpoint_says_of_somebody_else_is_not_taken(
    client, idp, domain, make_member, settings
):
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings)
    idp.claims = dict(PING_FEDERATE)
    idp.replies["/userinfo"] = Reply({"sub": "kim", "email": DANA, "email_verified": True})

    answer = come_back(client)

    assert NO_ADDRESS in words_of(answer)
    assert not is_in(client)


@pytest.mark.parametrize(
    ("published", "status", "expected"),
    [
        ({"email": "dana@elsewhere.example"}, 403, "This sign-in is for another domain"),
        ({"email": "dana@acme.example.evil.example"}, 403, "This sign-in is for another domain"),
        ({"email": "dana"}, 403, "Your company sent no usable e-mail address"),
        ({"email": f"{'d' * 300}@acme.example"}, 403, "Your company sent no usable e-mail address"),
        ({"email": "da na@acme.example"}, 403, "Your company sent no usable e-mail address"),
    ],
)
def test_a_provider_that_vouches_speaks_for_its_own_domain_alone(
    client, idp, domain, make_member, bystander, settings, published, status, expected
):
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings, vouches_for_addresses=True)
    idp.claims = ENTRA | published

    answer = come_back(client)

    assert (answer.status_code, expected in words_of(answer)) == (status, True), words_of(answer)
    assert not is_in(client)


def test_the_switch_is_off_until_an_owner_sets_it_and_the_ledger_says_so(
    client, idp, domain, owner, settings
):
    settings.DEBUG = True
    client.force_login(owner)
    typed = {"issuer": idp.issuer, "client_id": "countersign", "client_secret": SECRET}

    page = reverse("portal:sign_in_oidc", args=[domain.name])
    client.post(page, typed | {"default_role": ""})
    before = IdentityProvider.objects.get().vouches_for_addresses
    client.post(page, typed | {"default_role": "", "client_secret": "", "vouches_for_addresses": "on"})

    assert (before, IdentityProvider.objects.get().vouches_for_addresses) == (False, True)
    assert [entry.detail for entry in LedgerEntry.objects.order_by("pk")][-1] == "vouches_for_addresses: True"
    assert "This provider vouches for its addresses" in words_of(client.get(page))


def test_the_secret_goes_by_post_or_form_encoded_in_the_header(client, idp, domain, make_member, settings):
    """RFC 6749, 2.3.1: both parts are form-encoded first; 2.3: one way, never both."""
    make_member(domain, Role.EDITOR, DANA)
    row = set_up(idp, domain, settings)
    idp.claims = dict(GOOGLE)
    secret = "sec ret+/%&:ä€"
    IdentityProvider.objects.update(client_secret_sealed=seal(secret, bound_to=row.bound_to))
    sent = []
    for methods in (["client_secret_basic"], None, ["private_key_jwt", "client_secret_post"]):
        idp.published["token_endpoint_auth_methods_supported"] = methods
        cache.clear()
        assert come_back(Client()).status_code == 302
        headers, fields = idp.received[-1]
        sent.append((headers.get("Authorization"), fields.get("client_secret"), fields.get("client_id")))

    basic = b64decode(str(sent[0][0]).removeprefix("Basic ")).decode()
    assert basic == "countersign:sec+ret%2B%2F%25%26%3A%C3%A4%E2%82%AC"
    assert sent == [(sent[0][0], None, None), (sent[0][0], None, None), (None, [secret], ["countersign"])]


def test_nothing_is_logged_of_a_sign_in_that_went_well(client, idp, domain, make_member, settings, caplog):
    make_member(domain, Role.EDITOR, DANA)
    set_up(idp, domain, settings)
    idp.claims = GOOGLE | {"auth_time": int(time.time())}

    come_back(client)

    assert is_in(client)
    assert read_log(caplog) == []
