"""Sandbox clients: an application and a browser that talk to the sandbox over HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from integrations.outreach.sandbox import Sandbox

CALLBACK = "https://portal.example/callback"


SCOPES = ["users.all", "teams.read", "mailboxes.all", "prospects.read"]


MEDIA_TYPE = "application/vnd.api+json"


class Api:
    """requests with a token and the media type; `get` and the others take paths below the base URL."""

    def __init__(self, sandbox: Sandbox, scopes: list[str], user_id: int) -> None:
        self.sandbox = sandbox
        token = sandbox.oauth.issue_tokens(scopes=scopes, user_id=user_id)["access_token"]
        self.session = requests.Session()
        self.session.headers.update({"Authorization": f"Bearer {token}", "Content-Type": MEDIA_TYPE})

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        url = path if path.startswith("http") else f"{self.sandbox.base_url}/api/v2/{path}"
        return self.session.request(method, url, timeout=10, allow_redirects=False, **values)

    def get(self, path: str, **parameters: Any) -> requests.Response:
        return self.call("GET", path, params=parameters.pop("params", parameters) or None)

    def patch(self, kind: str, path: str, **attributes: Any) -> requests.Response:
        record_id = int(path.rpartition("/")[2])
        document = {"data": {"type": kind, "id": record_id, "attributes": attributes}}
        return self.call("PATCH", path, data=json.dumps(document))

    def ids(self, path: str, params: dict[str, Any] | None = None) -> list[int]:
        """The ids of a whole listing, read page by page along links.next."""
        found: list[int] = []
        reply = self.get(path, params=params or {})
        while True:
            assert reply.status_code == 200, reply.text
            document = reply.json()
            found += [record["id"] for record in document["data"]]
            next_url = document.get("links", {}).get("next")
            if next_url is None:
                return found
            reply = self.call("GET", next_url)


class Browser:
    """What a person's browser does with the OAuth pages, and what the application does after."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()

    def asked(self, **changes: str) -> dict[str, str]:
        return {
            "client_id": "sandbox-client",
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "state": "state-1",
        } | changes

    def open(self, **changes: str) -> requests.Response:
        return self.session.get(
            f"{self.sandbox.base_url}/oauth/authorize",
            params=self.asked(**changes),
            allow_redirects=False,
            timeout=10,
        )

    def decide(
        self, decision: str = "allow", grant: list[str] | None = None, user_id: int = 1, **changes: str
    ) -> dict[str, str]:
        """Press Allow or Deny; what comes back to the callback."""
        fields: dict[str, Any] = self.asked(**changes)
        fields |= {
            "grant": SCOPES if grant is None else grant,
            "user_id": str(user_id),
            "decision": decision,
        }
        reply = self.session.post(
            f"{self.sandbox.base_url}/oauth/authorize", data=fields, allow_redirects=False, timeout=10
        )
        return callback_of(reply)

    def token(self, fields: dict[str, str], *, as_json: bool = False) -> requests.Response:
        body = {
            "client_id": "sandbox-client",
            "client_secret": "sandbox-secret",
            "redirect_uri": CALLBACK,
        } | fields
        url = f"{self.sandbox.base_url}/oauth/token"
        if as_json:
            return self.session.post(url, json=body, timeout=10)
        return self.session.post(url, data=body, timeout=10)

    def exchange(self, code: str, **fields: str) -> requests.Response:
        return self.token({"grant_type": "authorization_code", "code": code} | fields)

    def refresh(self, refresh_token: str, **fields: str) -> requests.Response:
        return self.token({"grant_type": "refresh_token", "refresh_token": refresh_token} | fields)


def callback_of(reply: requests.Response) -> dict[str, str]:
    assert reply.status_code == 302, reply.text
    address = urlsplit(reply.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(address.query).items()}
