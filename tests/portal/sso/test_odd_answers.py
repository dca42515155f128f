"""Odd answers by the hundred, made by bending honest ones: each ends in a login or a sentence, none in a failure."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.core.cache import cache
from django.test import Client
from lxml import etree

from portal.models import IdentityProvider, User
from tests.support.oidc_provider import CONFIGURATION, Provider, Reply, make_jwk, running
from tests.support.saml_provider import NAMES, Signer, find_assertion, pack, write_answer
from tests.support.saml_sign_in import BASE, begin, post
from tests.support.sso_sign_in import CALLBACK, DANA, LOGIN, go_out, is_in, set_up

ODD: list[Any] = [
    None, True, 0, -1, 10**400, float("inf"), float("nan"), "", "true", "\x00", "\ud800", "a" * 5_000, "\r\nX: y",
    "é<b>", [], [None], {"a": {"b": []}}, 1e308,
]  # fmt: skip
CLAIMS = [
    "iss",
    "aud",
    "azp",
    "sub",
    "iat",
    "exp",
    "nbf",
    "auth_time",
    "email",
    "email_verified",
    "xms_edov",
    "upn",
]
PUBLISHED = ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
             "token_endpoint_auth_methods_supported"]  # fmt: skip
KEY_FIELDS = ["kty", "kid", "use", "alg", "n", "e", "key_ops", "x5c"]


@pytest.fixture
def idp() -> Iterator[Provider]:
    with running() as made:
        yield made


def write_json(value: Any) -> bytes:
    """As a provider that knows no better writes it: NaN, Infinity and lone surrogates included."""
    return json.dumps(value).encode()


def forge(claims: dict[str, Any], idp: Provider) -> str:
    """Return a token that the provider really signed, whatever the claims are."""

    def pack_part(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    head = pack_part(write_json({"alg": "RS256", "kid": "first"} | idp.header))
    body = head + b"." + pack_part(write_json(claims))
    return (body + b"." + pack_part(idp.signing_key.sign(body, padding.PKCS1v15(), hashes.SHA256()))).decode()


def is_fine(answer: Any) -> bool:
    """Return whether the answer is a login or a page with a sentence."""
    return answer.status_code == 302 or (
        answer.status_code == 403 and "Nobody was signed in" in answer.content.decode()
    )


def come_back(idp: Provider) -> tuple[Client, Any]:
    client = Client()
    asked = go_out(client)
    return client, client.get(CALLBACK, {"code": "code", "state": asked["state"]})


def test_claims_of_every_kind_end_in_a_login_or_a_sentence(idp, domain, dana, settings):
    set_up(idp, domain, settings)
    now = int(time.time())
    honest = {"iss": idp.issuer, "aud": "countersign", "sub": "dana", "iat": now, "exp": now + 300, "email": DANA,
              "email_verified": True}  # fmt: skip
    failed, let_in = [], set()
    for number, name in enumerate(CLAIMS):
        IdentityProvider.objects.update(vouches_for_addresses=number % 2 == 0)
        for value in ODD:
            idp.tokens = {"id_token": forge(honest | {name: value}, idp)}
            client, answer = come_back(idp)
            if not is_fine(answer):
                failed.append((name, value, answer.status_code))
            if is_in(client):
                let_in.add(name)

    assert failed == []
    assert let_in <= {"azp", "nbf", "auth_time", "email_verified", "xms_edov", "upn", "sub", "exp"}
    assert {"iss", "aud", "iat", "email"} & let_in == set()
    assert User.objects.count() == 1


def test_documents_of_every_kind_end_in_a_sentence(idp, domain, dana, settings):
    set_up(idp, domain, settings)
    idp.claims = {"email": DANA, "email_verified": True}
    failed = []
    for path in ("/token", "/keys", "/userinfo"):
        for value in [*ODD, {"keys": ODD}, {"id_token": "x"}, {"sub": "dana", "email": ["x"]}]:
            cache.clear()
            idp.replies = {path: Reply(write_json(value))}
            _, answer = come_back(idp)
            if not is_fine(answer):
                failed.append((path, value, answer.status_code))
    for number, name in enumerate(PUBLISHED):
        for value in ODD[number % 3 :: 3]:
            cache.clear()
            idp.replies = {CONFIGURATION: Reply(write_json(idp.make_configuration() | {name: value}))}
            answer = Client().post(LOGIN)
            if not is_fine(answer):
                failed.append((name, value, answer.status_code))
    for number, name in enumerate(KEY_FIELDS):
        for value in ODD[number % 3 :: 3]:
            cache.clear()
            idp.replies = {"/keys": Reply(write_json({"keys": [make_jwk() | {name: value}]}))}
            _, answer = come_back(idp)
            if not is_fine(answer):
                failed.append((name, value, answer.status_code))

    assert failed == []


@pytest.mark.parametrize("field", ["code", "state", "iss", "error", "error_description"])
def test_addresses_of_every_kind_end_in_a_sentence(idp, domain, dana, settings, field):
    set_up(idp, domain, settings)
    idp.claims = {"email": DANA, "email_verified": True}
    failed = []
    for value in [one for one in ODD if isinstance(one, str) and one != "\ud800"]:
        client = Client()
        asked = go_out(client)
        answer: Any = client.get(CALLBACK, {"code": "code", "state": asked["state"]} | {field: value})
        if not is_fine(answer):
            failed.append((value, answer.status_code))

    assert failed == []


def list_bends(response: etree._Element) -> Iterator[Callable[[etree._Element], None]]:
    """Yield what takes away, doubles, empties or garbles each element and attribute of an answer."""
    count = sum(1 for _ in response.iter())
    for index in range(1, count):
        yield lambda root, i=index: (node := list(root.iter())[i]).getparent().remove(node)
        yield lambda root, i=index: list(root.iter())[i].addnext(
            etree.fromstring(etree.tostring(list(root.iter())[i]))
        )
        yield lambda root, i=index: setattr(list(root.iter())[i], "text", "é\n<&")
        yield lambda root, i=index: list(root.iter())[i].append(etree.Comment("x"))
        for name in list(response.iter())[index].attrib:
            for value in ("", "x", "9999-99-99T99:99:99Z", "é" * 300):
                yield lambda root, i=index, n=name, v=value: list(root.iter())[i].set(n, v)
            yield lambda root, i=index, n=name: list(root.iter())[i].attrib.pop(n)


def test_saml_answers_of_every_kind_end_in_a_login_or_a_sentence(signer: Signer, provider, domain, dana):
    told = begin(Client())
    failed, count = [], 0
    for bend in list_bends(write_answer(told)):
        response = write_answer(told)
        bend(response)
        assertion = response.find("saml:Assertion", NAMES)
        if assertion is not None and assertion.get("ID"):
            signer.sign(find_assertion(response))
        answer = post(Client(), pack(response))
        count += 1
        if not is_fine(answer):
            failed.append((etree.tostring(response)[-900:], answer.status_code))

    assert failed == []
    assert count > 130


def test_bytes_of_every_kind_end_in_a_sentence(signer: Signer, provider, domain, dana):
    chance = random.Random(7)  # noqa: S311 - for the same odd bytes every time
    response = write_answer(begin(Client()))
    signer.sign(find_assertion(response))
    honest = etree.tostring(response)
    failed = []
    for _ in range(100):
        bent = bytearray(honest)
        for _ in range(chance.randrange(1, 6)):
            start = chance.randrange(len(bent))
            bent[start : start + chance.randrange(0, 40)] = bytes(
                chance.randrange(256) for _ in range(chance.randrange(8))
            )
        answer = post(Client(), pack(bytes(bent)))
        if not is_fine(answer):
            failed.append((bytes(bent), answer.status_code))
    for text in ("", "=", "%%%", "é", "A" * 250_000, "PGE+" * 9, "\x00"):
        answer = Client().post(f"{BASE}acs/", {"SAMLResponse": text})
        if not is_fine(answer):
            failed.append((text.encode(), answer.status_code))

    assert failed == []
