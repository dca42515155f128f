"""Consent: a browser that connects a domain, step by step."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from integrations.outreach.sandbox import Sandbox
from integrations.outreach.sandbox.requestlog import LoggedRequest
from integrations.outreach.scopes import REQUESTED
from portal.models import Domain

UNTOUCHED = "The previous connection is unchanged."


NOTHING_STORED = "Nothing was stored, and nothing in Outreach was changed."


class RoundTrip:
    """One browser connecting one domain: out with `leave`, a decision with `decide`, home with `come_back`."""

    def __init__(self, client: Client, sandbox: Sandbox, domain: Domain) -> None:
        self.client = client
        self.sandbox = sandbox
        self.domain = domain

    def leave(self, query: str = "", **headers: Any) -> str:
        """Press "Connect Outreach"; the address of the consent page the person is sent to."""
        response = self.client.post(
            reverse("integrations:outreach_connect", args=[self.domain.name]) + query, **headers
        )
        assert response.status_code == 302, response.content
        return response["Location"]

    def decide(
        self,
        address: str,
        *,
        decision: str = "allow",
        grant: tuple[str, ...] = REQUESTED,
        user_id: int = 1,
    ) -> str:
        """Press Allow or Deny on Outreach's page; the address the browser is sent back to."""
        fields: dict[str, Any] = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
        fields |= {"grant": list(grant), "user_id": str(user_id), "decision": decision}
        reply = requests.post(
            f"{self.sandbox.base_url}/oauth/authorize", data=fields, allow_redirects=False, timeout=10
        )
        assert reply.status_code == 302, reply.text
        return reply.headers["Location"]

    def come_back(self, address: str, client: Client | None = None, **headers: Any) -> HttpResponse:
        parts = urlsplit(address)
        return (client or self.client).get(f"{parts.path}?{parts.query}", **headers)  # type: ignore[return-value]

    def walk(self, **decision: Any) -> HttpResponse:
        """The whole way."""
        return self.come_back(self.decide(self.leave(), **decision))


def change_query(address: str, **changes: str | None) -> str:
    """The same address with some of its parameters set, or left out where None."""
    parts = urlsplit(address)
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in changes.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value
    return parts._replace(query=urlencode(fields)).geturl()


def token_calls(sandbox: Sandbox) -> list[LoggedRequest]:
    return sandbox.requests.to("/oauth/token")
