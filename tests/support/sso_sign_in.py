"""A browser at single sign-on by OpenID Connect, step by step, and what the log then says."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from integrations.crypto.sealing import seal
from portal.models import Domain, IdentityProvider

from .oidc_provider import CLIENT_ID, Provider

LOGIN, CALLBACK = "/accounts/sso/acme.example/login/", "/accounts/sso/acme.example/login/callback/"
SECRET = "canary-of-a-client-secret"
DANA = "dana@acme.example"


def set_up(idp: Provider, domain: Domain, settings: Any, **fields: Any) -> IdentityProvider:
    """Give the domain this provider."""
    settings.DEBUG = True  # plain http to this machine
    settings.PUBLIC_URL = "http://testserver"
    row = IdentityProvider(domain=domain, issuer=idp.issuer, client_id=CLIENT_ID, **fields)
    row.save()
    row.client_secret_sealed = seal(SECRET, bound_to=row.bound_to)
    row.save()
    return row


def go_out(client: Client, start: str = LOGIN) -> dict[str, str]:
    """Press the button; what the provider is asked."""
    out: Any = client.post(start)
    assert out.status_code == 302, out.content.decode()
    return {name: values[0] for name, values in parse_qs(urlsplit(out["Location"]).query).items()}


def come_back(client: Client, *, start: str = LOGIN, **answered: str) -> HttpResponse:
    """Press the button, and come back with a code, or with what else is answered."""
    asked = go_out(client, start)
    return client.get(CALLBACK, {"state": asked["state"]} | (answered or {"code": "code"}))  # type: ignore[return-value]


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def read_log(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and words of what single sign-on logged."""
    return [(row.levelname, row.getMessage()) for row in caplog.records if row.name == "portal.sso"]
