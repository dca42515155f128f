"""Authorize endpoint: a person gives consent in the browser, and the application gets a code."""

from __future__ import annotations

import re
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

from .consent import consent_page, refusal_page
from .directory import Directory
from .http import Request, Response
from .oauth import Code, OAuth

ASKED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)


class AuthorizeEndpoint:
    def __init__(self, oauth: OAuth, directory: Directory) -> None:
        self.oauth = oauth
        self.directory = directory

    def answer(self, request: Request) -> Response:
        """Show the consent page (GET), or redirect back where consent was given; take the decision (POST)."""
        if request.method not in ("GET", "POST"):
            return refusal_page(405, "This page accepts GET and POST only.")
        pairs = parse_qsl(request.body.decode("latin-1")) if request.method == "POST" else request.parameters
        asked = dict(reversed(pairs))
        # A wrong client or address is told to the person and never redirected (RFC 6749, 4.1.2.1).
        if asked.get("client_id") != self.oauth.client.id:
            return refusal_page(401, "Client authentication failed due to unknown client.")
        if asked.get("redirect_uri") not in self.oauth.client.redirect_uris:
            return refusal_page(400, "The requested redirect uri is malformed or doesn't match the client's.")
        scopes = tuple(dict.fromkeys(asked.get("scope", "").split()))
        if self.oauth.settings.authorize_error is not None:
            return self._back(asked, error=self.oauth.settings.authorize_error, error_description="Scripted.")
        if asked.get("response_type") != "code":
            return self._back(asked, error="unsupported_response_type")
        # The app is registered with scopes; the requested ones must be among them.
        if not scopes or not set(scopes) <= set(self.oauth.settings.registered_scopes):
            return self._back(asked, error="invalid_scope", error_description="The scope is not registered.")
        if request.method == "POST":
            return self._decided(asked, scopes, [value for name, value in pairs if name == "grant"])
        consent = self.oauth.consent
        if self.oauth.settings.remember_consent and consent is not None and set(consent[1]) == set(scopes):
            return self._allow(asked, consent[0], consent[2])
        admins = sorted(
            (user for user in self.directory.users.values() if user.is_admin and not user.locked),
            key=lambda user: (user.created_at, user.id),
        )
        return consent_page(
            hidden={name: asked[name] for name in ASKED if name in asked},
            scopes=scopes,
            people=[(user.id, f"{user.name} ({user.email})") for user in admins],
        )

    def _decided(self, asked: dict[str, str], scopes: tuple[str, ...], ticked: list[str]) -> Response:
        if asked.get("decision") != "allow":
            return self._back(
                asked,
                error="access_denied",
                error_description="The resource owner or authorization server denied the request.",
            )
        chosen = asked.get("user_id", "")
        user_id = int(chosen) if re.fullmatch("[0-9]{1,12}", chosen) else 0
        if user_id not in self.directory.users:
            return refusal_page(400, "There is no user with this id.")
        granted = tuple(scope for scope in scopes if scope in ticked)
        with self.oauth.lock:
            self.oauth.consent = (user_id, scopes, granted)
        return self._allow(asked, user_id, granted)

    def _allow(self, asked: dict[str, str], user_id: int, granted: tuple[str, ...]) -> Response:
        if self.oauth.settings.grant_scopes is not None:
            granted = self.oauth.settings.grant_scopes
        code = f"sandbox-code-{secrets.token_urlsafe(24)}"
        with self.oauth.lock:
            self.oauth.codes[code] = Code(
                user_id=user_id,
                scopes=granted,
                redirect_uri=asked["redirect_uri"],
                expires_at=self.oauth.clock.now() + self.oauth.settings.code_seconds,
                challenge=asked.get("code_challenge", ""),
                challenge_method=asked.get("code_challenge_method", "plain"),
            )
        return self._back(asked, code=code)

    def _back(self, asked: dict[str, str], **answer: str) -> Response:
        if "state" in asked:
            answer["state"] = asked["state"]
        address = asked["redirect_uri"]
        joint = "&" if urlsplit(address).query else "?"
        location = f"{address}{joint}{urlencode(answer)}"
        return Response(302, content_type="", headers=[("Location", location), ("Cache-Control", "no-store")])
