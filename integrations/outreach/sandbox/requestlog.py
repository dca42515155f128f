"""Request log: every request in order, with tokens replaced by digests that can be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from .http import Request

# Form and JSON fields of the token endpoint that are secrets.
SECRETS = ("client_secret", "code", "refresh_token", "token", "access_token", "code_verifier")


@dataclass(slots=True)
class LoggedRequest:
    """One request; `token` is a digest of the bearer token."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    token: str | None = None
    # None until answered; stays None if the connection was reset.
    status: int | None = None
    fault: str | None = None
    parameters: dict[str, list[str]] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)

    def as_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "replace"),
            "at": self.at,
            "token": self.token,
            "status": self.status,
            "fault": self.fault,
        }


class RequestLog(list[LoggedRequest]):
    """The requests so far, oldest first; `clear()` removes them."""

    def note(self, request: Request, *, at: float, keep_body: bool) -> LoggedRequest:
        headers = dict(request.headers)
        token = None
        if "authorization" in headers:
            scheme, _, secret = headers["authorization"].partition(" ")
            token = _fingerprint(secret)
            headers["authorization"] = f"{scheme} {secret[:11]}…{secret[-4:]}"
        entry = LoggedRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
            body=_without_secrets(request) if keep_body else b"",
            at=at,
            token=token,
            parameters=parse_qs(request.query, keep_blank_values=True) if request.query else {},
        )
        self.append(entry)
        return entry

    def to(self, path: str, method: str | None = None) -> list[LoggedRequest]:
        """The requests to exactly this path, or below it where it ends in a slash."""
        return [
            entry
            for entry in self
            if (entry.path.startswith(path) if path.endswith("/") else entry.path == path)
            and method in (None, entry.method)
        ]


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _without_secrets(request: Request) -> bytes:
    """The body, with what the OAuth endpoints call a secret replaced by a hash of it."""
    if not request.path.startswith("/oauth/") or not request.body:
        return request.body
    try:
        fields = json.loads(request.body)
    except (ValueError, RecursionError):
        fields = {name: values[-1] for name, values in parse_qs(request.body.decode("latin-1")).items()}
    if not isinstance(fields, dict):
        return b""
    for name in SECRETS:
        if name in fields:
            fields[name] = "sha256:" + _fingerprint(str(fields[name]))
    return json.dumps(fields).encode()
