"""OAuth: codes, consent and rotating tokens, as Outreach publishes them.

Sources: developers.outreach.io/api/oauth (harvest 2026-08-13); error bodies in Doorkeeper's form, since
Outreach is a Rails application and no recorded bodies are known.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import Any

from .clock import Clock
from .settings import Settings


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
    def __init__(self, client: Client, settings: Settings, clock: Clock) -> None:
        self.client = client
        self.settings = settings
        self.clock = clock
        self.lock = threading.RLock()
        self.codes: dict[str, Code] = {}
        self.by_access: dict[str, Grant] = {}
        self.by_refresh: dict[str, Grant] = {}
        self.minted_at: dict[int, float] = {}
        # User id, scopes asked and scopes granted of the last person who pressed Allow.
        self.consent: tuple[int, tuple[str, ...], tuple[str, ...]] | None = None

    def issue_tokens(self, scopes: list[str] | None = None, user_id: int = 1) -> dict[str, Any]:
        """Return a token response without the browser's part, and without regard to the throttle of tokens."""
        chosen = tuple(self.settings.registered_scopes if scopes is None else scopes)
        with self.lock:
            return self.mint(user_id, chosen)

    def revoke_all(self) -> None:
        """Revoke all tokens and consents, as when the user removes the app in Outreach."""
        with self.lock:
            self.codes.clear()
            self.by_access.clear()
            self.by_refresh.clear()
            self.consent = None

    def expire_access_tokens(self) -> None:
        """Let all access tokens expire; the refresh tokens still work."""
        with self.lock:
            self.by_access.clear()

    def forget_throttle(self) -> None:
        """Allow the next token at once."""
        with self.lock:
            self.minted_at.clear()

    @property
    def live_refresh_tokens(self) -> int:
        with self.lock:
            return sum(grant.refresh_until > self.clock.now() for grant in self.by_refresh.values())

    def grant_of(self, authorization: str) -> Grant | None:
        """Return what a bearer token allows, or None where it is unknown, expired or revoked."""
        scheme, _, token = authorization.partition(" ")
        grant = self.by_access.get(token) if scheme.lower() == "bearer" else None
        if grant is None or grant.access_until <= self.clock.now():
            return None
        return grant

    def is_throttled(self, user_id: int) -> bool:
        """One token per user and application in 60 seconds."""
        last = self.minted_at.get(user_id)
        return last is not None and self.clock.now() - last < self.settings.throttle_seconds

    def mint(self, user_id: int, scopes: tuple[str, ...]) -> dict[str, Any]:
        """Return the token response of a new pair. Of more than 100 of one user, the oldest are removed."""
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
        self.by_access[grant.access_token] = grant
        self.by_refresh[grant.refresh_token] = grant
        own = [each for each in self.by_refresh.values() if each.user_id == user_id]
        for each in own[: max(0, len(own) - self.settings.refresh_cap)]:
            del self.by_refresh[each.refresh_token]
        return self._response(grant)

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
