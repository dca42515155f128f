"""OAuth 2.0 as Outreach publishes it: authorization codes, rotating refresh tokens, one token a minute.

Sources: developers.outreach.io/api/oauth (harvest 2026-08-13); error bodies in Doorkeeper's form, since
Outreach is a Rails application and nobody recorded them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from .clock import Clock
from .consent import consent_page, refusal_page
from .directory import Directory
from .http import Request, Response
from .settings import Settings

ASKED = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
)


@dataclass(slots=True)
class Code:
    user_id: int
    scopes: tuple[str, ...]
    redirect_uri: str
    expires_at: float
    challenge: str = ""
    challenge_method: str = ""


@dataclass(slots=True)
class Grant:
    """One pair of tokens: whose, for what, until when (epoch seconds)."""

    user_id: int
    scopes: frozenset[str]
    scope_order: tuple[str, ...]
    access_token: str
    refresh_token: str
    minted_at: float
    access_until: float
    refresh_until: float


@dataclass
class Client:
    id: str
    secret: str
    redirect_uris: tuple[str, ...] = field(default=())


class OAuth:
    def __init__(self, client: Client, directory: Directory, settings: Settings, clock: Clock) -> None:
        self.client = client
        self.directory = directory
        self.settings = settings
        self.clock = clock
        self._lock = threading.RLock()
        self._codes: dict[str, Code] = {}
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._minted_at: dict[int, float] = {}
        # (user id, scopes) of the last person who pressed Allow.
        self._consent: tuple[int, tuple[str, ...], tuple[str, ...]] | None = None

    # --- for tests and control ---

    def issue_tokens(self, scopes: list[str] | None = None, user_id: int = 1) -> dict[str, Any]:
        """Return a token response without the browser's part; the mint throttle neither asks nor starts."""
        chosen = tuple(self.settings.registered_scopes if scopes is None else scopes)
        with self._lock:
            return self._response(self._mint(user_id, chosen))

    def revoke_all(self) -> None:
        """Every token and consent is gone, as when the user removes the app inside Outreach."""
        with self._lock:
            self._codes.clear()
            self._by_access.clear()
            self._by_refresh.clear()
            self._consent = None

    def expire_access_tokens(self) -> None:
        """Access tokens answer 401 from now on; the refresh tokens still work."""
        with self._lock:
            self._by_access.clear()

    def forget_throttle(self) -> None:
        """The next token may be minted at once."""
        with self._lock:
            self._minted_at.clear()

    @property
    def live_refresh_tokens(self) -> int:
        with self._lock:
            return sum(grant.refresh_until > self.clock.now() for grant in self._by_refresh.values())

    # --- for the API ---

    def grant_of(self, authorization: str) -> Grant | None:
        """Return what a bearer token allows, or None where it is unknown, expired or revoked."""
        scheme, _, token = authorization.partition(" ")
        grant = self._by_access.get(token) if scheme.lower() == "bearer" else None
        if grant is None or grant.access_until <= self.clock.now():
            return None
        return grant

    # --- the endpoints ---

    def authorize(self, request: Request) -> Response:
        """GET shows the consent page, or goes straight back where consent was given; POST is its answer."""
        if request.method not in ("GET", "POST"):
            return refusal_page(405, "This page is read with GET and answered with POST.")
        pairs = parse_qsl(request.body.decode("latin-1")) if request.method == "POST" else request.parameters
        asked = dict(reversed(pairs))
        # A wrong client or address is told to the person and never redirected (RFC 6749, 4.1.2.1).
        if asked.get("client_id") != self.client.id:
            return refusal_page(401, "Client authentication failed due to unknown client.")
        if asked.get("redirect_uri") not in self.client.redirect_uris:
            return refusal_page(400, "The requested redirect uri is malformed or doesn't match the client's.")
        scopes = tuple(dict.fromkeys(asked.get("scope", "").split()))
        if self.settings.authorize_error is not None:
            return self._back(asked, error=self.settings.authorize_error, error_description="Scripted.")
        if asked.get("response_type") != "code":
            return self._back(asked, error="unsupported_response_type")
        # The app is set up with at least one scope; what is requested must be a subset of them.
        if not scopes or not set(scopes) <= set(self.settings.registered_scopes):
            return self._back(asked, error="invalid_scope", error_description="The scope is not registered.")
        if request.method == "POST":
            return self._decided(asked, scopes, [value for name, value in pairs if name == "grant"])
        consent = self._consent
        if self.settings.remember_consent and consent is not None and set(consent[1]) == set(scopes):
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
            return refusal_page(400, "Nobody with this id works here.")
        granted = tuple(scope for scope in scopes if scope in ticked)
        with self._lock:
            self._consent = (user_id, scopes, granted)
        return self._allow(asked, user_id, granted)

    def _allow(self, asked: dict[str, str], user_id: int, granted: tuple[str, ...]) -> Response:
        if self.settings.grant_scopes is not None:
            granted = self.settings.grant_scopes
        code = f"sandbox-code-{secrets.token_urlsafe(24)}"
        with self._lock:
            self._codes[code] = Code(
                user_id=user_id,
                scopes=granted,
                redirect_uri=asked["redirect_uri"],
                expires_at=self.clock.now() + self.settings.code_seconds,
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

    def token(self, request: Request) -> Response:
        """POST /oauth/token: a code or a refresh token becomes a new pair."""
        if request.method != "POST":
            return Response.text(404, "Not Found")
        body = _body(request)
        if body is None:
            return self._refuse("invalid_request", "The request body could not be read.", 400)
        if not self._is_client(body):
            return self._refuse(
                "invalid_client",
                "Client authentication failed due to unknown client, no client authentication included, "
                "or unsupported authentication method.",
                401,
            )
        kind = body.get("grant_type")
        with self._lock:
            if kind == "authorization_code":
                return self._from_code(body)
            if kind == "refresh_token":
                return self._from_refresh(body)
        return self._refuse(
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server.",
            400,
        )

    def revoke(self, request: Request) -> Response:
        """POST /oauth/revoke in Doorkeeper's way: 200 and {} whether or not the token was known."""
        status = self.settings.revoke_status
        if request.method != "POST" or status == 404:
            return Response.text(404, "Not Found")
        if status != 200:
            return Response.text(status, "Service Unavailable")
        body = _body(request) or {}
        if not self._is_client(body):
            return self._refuse("unauthorized_client", "You are not authorized to revoke this token", 403)
        token = body.get("token", "")
        with self._lock:
            grant = self._by_access.get(token) or self._by_refresh.get(token)
            if grant is not None:
                self._by_access.pop(grant.access_token, None)
                self._by_refresh.pop(grant.refresh_token, None)
        return Response.json(200, {}, "application/json")

    # --- minting ---

    def _is_client(self, body: dict[str, str]) -> bool:
        pairs = (
            (body.get("client_id", ""), self.client.id),
            (body.get("client_secret", ""), self.client.secret),
        )
        return all(_same(given, known) for given, known in pairs)

    def _from_code(self, body: dict[str, str]) -> Response:
        code = self._codes.get(body.get("code", ""))
        if (
            code is None
            or code.expires_at <= self.clock.now()
            or body.get("redirect_uri") != code.redirect_uri
            or not self._proves(code, body.get("code_verifier", ""))
        ):
            return self._invalid_grant()
        if self._is_throttled(code.user_id):
            return self._throttled()
        del self._codes[body["code"]]
        return self._minted(code.user_id, code.scopes)

    def _from_refresh(self, body: dict[str, str]) -> Response:
        grant = self._by_refresh.get(body.get("refresh_token", ""))
        if grant is None or grant.refresh_until <= self.clock.now():
            return self._invalid_grant()
        # Airbyte refreshes without redirect_uri, so it is checked only where it is sent.
        if body.get("redirect_uri", "") not in ("", *self.client.redirect_uris):
            return self._invalid_grant()
        if self._is_throttled(grant.user_id):
            return self._throttled()
        if self.settings.rotation == "strict":
            del self._by_refresh[grant.refresh_token]
        return self._minted(grant.user_id, grant.scope_order)

    def _proves(self, code: Code, verifier: str) -> bool:
        if self.settings.pkce != "enforce":
            return True
        if not code.challenge:
            return False
        if code.challenge_method == "S256":
            digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return _same(verifier, code.challenge)

    def _is_throttled(self, user_id: int) -> bool:
        """One token per user and application in 60 seconds."""
        last = self._minted_at.get(user_id)
        return last is not None and self.clock.now() - last < self.settings.throttle_seconds

    def _minted(self, user_id: int, scopes: tuple[str, ...]) -> Response:
        self._minted_at[user_id] = self.clock.now()
        headers = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
        response = Response.json(200, self._response(self._mint(user_id, scopes)), "application/json")
        response.headers += headers
        return response

    def _mint(self, user_id: int, scopes: tuple[str, ...]) -> Grant:
        now = self.clock.now()
        grant = Grant(
            user_id=user_id,
            scopes=frozenset(scopes),
            scope_order=scopes,
            access_token=f"sandbox-at-{secrets.token_urlsafe(32)}",
            refresh_token=f"sandbox-rt-{secrets.token_urlsafe(32)}",
            minted_at=now,
            access_until=now + self.settings.access_seconds,
            refresh_until=now + self.settings.refresh_seconds,
        )
        self._by_access[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        # The oldest drop when there are more than 100 of one user.
        own = [each for each in self._by_refresh.values() if each.user_id == user_id]
        for each in own[: max(0, len(own) - self.settings.refresh_cap)]:
            del self._by_refresh[each.refresh_token]
        return grant

    def _response(self, grant: Grant) -> dict[str, Any]:
        document = {
            "access_token": grant.access_token,
            "token_type": "Bearer",
            "expires_in": self.settings.access_seconds,
            "refresh_token": grant.refresh_token,
            "scope": " ".join(grant.scope_order),
            "created_at": int(grant.minted_at),
        }
        spelling, scopes = self.settings.scope_spelling, grant.scope_order
        if spelling == "absent":
            del document["scope"]
        elif spelling == "plus":
            document["scope"] = "+".join(scopes)
        elif spelling == "reversed":
            document["scope"] = " ".join(reversed(scopes))
        elif spelling == "duplicated":
            document["scope"] = " ".join((*scopes, *scopes))
        return document

    # --- refusals ---

    @staticmethod
    def _throttled() -> Response:
        # product-os/jellyfish #8080: the body is this text, not JSON.
        return Response.text(429, "Retry later\n", "text/plain")

    def _invalid_grant(self) -> Response:
        return self._refuse(
            "invalid_grant",
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection "
            "URI used in the authorization request, or was issued to another client.",
            self.settings.token_error_status,
        )

    @staticmethod
    def _refuse(error: str, description: str, status: int) -> Response:
        body = {"error": error, "error_description": description}
        return Response.json(status, body, "application/json")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())


def _body(request: Request) -> dict[str, str] | None:
    """The fields of a form (Outreach's docs) or a JSON object (Estuary); None where it is neither."""
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        return dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
    try:
        fields = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return {str(name): value for name, value in fields.items() if isinstance(value, str)}
