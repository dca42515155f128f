"""SAML sign-in: a browser that goes out to the provider and posts its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.test import Client

from tests.support.page_text import words_of

from .saml_provider import SSO_URL, Signer, Statement, find_assertion, pack, read_request, write_answer

DANA = "dana@acme.example"


LOGIN, BASE = "/accounts/sso/acme.example/login/", "/accounts/sso/acme.example/saml/"


METADATA, ACS = f"http://testserver{BASE}", f"http://testserver{BASE}acs/"


def begin(client: Client, start: str = LOGIN) -> Statement:
    """Go out to the provider; what an honest answer to that request says."""
    out: Any = client.post(start)
    assert out.status_code == 302, words_of(out)
    assert out["Location"].startswith(f"{SSO_URL}?SAMLRequest=")
    request = read_request(out["Location"])
    return Statement(request_id=request.get("ID") or "", acs=ACS, audience=METADATA)


def sign(told: Statement, signer: Signer) -> str:
    response = write_answer(told)
    signer.sign(find_assertion(response))
    return pack(response)


def post(client: Client, answer: str) -> Any:
    """Post an answer as a browser does from the provider's page, where no session cookie goes along, and go on."""
    without_session = Client(enforce_csrf_checks=True)
    taken = without_session.post(f"{BASE}acs/", {"SAMLResponse": answer, "RelayState": "//evil.example"})
    assert "countersign_session" not in taken.cookies
    if taken.status_code != 302:
        return taken
    assert taken["Location"] == f"{BASE}finish/"
    client.cookies["countersign_saml"] = taken.cookies["countersign_saml"].value
    return client.get(taken["Location"])


def sign_in(client: Client, signer: Signer, **said: Any) -> Any:
    return post(client, sign(replace(begin(client), **said), signer))
