"""Outreach's parts, put together with this installation's settings, for `integrations.registry`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import reverse

from integrations.connector import AccountIdentity
from integrations.errors import AccountRestricted, ConnectionLost, IntegrationError

from .client import OutreachClient
from .connector import OutreachConnector
from .endpoints import ENDPOINTS, LIST_USERS
from .interfaces import Budget, CallRecord, Permission, Recorder
from .oauth import OAuthClient, TokenReply
from .proof import ATTEMPTS, Proof
from .proof import run_proof as run_proof_at
from .scopes import NARROWER, NARROWER_SCOPES, REQUESTED, SCOPES, compare, features_lost

if TYPE_CHECKING:
    from integrations.connection.tokens import ConnectionWatch

__all__ = [
    "ATTEMPTS",
    "ENDPOINTS",
    "NARROWER",
    "NARROWER_SCOPES",
    "REQUESTED",
    "SCOPES",
    "compare",
    "exchange_code",
    "features_lost",
    "get_redirect_uri",
    "identify",
    "open_connector",
    "probe",
    "refresh_tokens",
    "revoke_token",
    "run_proof",
    "try_afterwards",
]


def get_redirect_uri() -> str:
    """Return where Outreach sends people back: from configuration, never from a request's Host header."""
    return settings.PUBLIC_URL + reverse("outreach_callback")


@contextmanager
def open_connector(
    *, watch: ConnectionWatch, budget: Budget, record: Recorder, hurry_seconds: float | None = None
) -> Iterator[OutreachConnector]:
    """Open a connector whose every call asks `watch` first.

    hurry_seconds: each call is made once, and given up after this long; None for patience.
    """
    pace: dict[str, Any] = {} if hurry_seconds is None else {"seconds": hurry_seconds, "repeats": False}

    def permission() -> Permission:
        standing = watch.standing()
        return Permission(
            granted=standing.scopes_granted,
            switched_off=standing.scopes_switched_off,
            writes_allowed=standing.allows_writes,
        )

    with OutreachClient(
        base_url=settings.OUTREACH_BASE_URL,
        access=watch,
        budget=budget,
        permission=permission,
        record=record,
        **pace,
    ) as client:
        yield OutreachConnector(client)


def run_proof(*, record: Recorder) -> Proof:
    """Return what came of attempting every forbidden call; nothing leaves."""
    return run_proof_at(base_url=settings.OUTREACH_BASE_URL, record=record)


def exchange_code(code: str, *, code_verifier: str, record: Recorder | None = None) -> TokenReply:
    """Return the tokens for the code a person brought back. Raises members of `integrations.errors`."""
    with _oauth(record) as oauth:
        return oauth.exchange_code(code, get_redirect_uri(), code_verifier)


def identify(pair: TokenReply, *, granted: Collection[str], record: Recorder) -> AccountIdentity | None:
    """Return the organisation a new pair of tokens opens, by one read before anything is stored.

    granted: of what was asked for. None, without a call, where users cannot be read.
    """
    if not set(granted) & set(LIST_USERS.scopes):
        return None
    with _unstored(pair, Permission(granted=frozenset(granted)), record) as connector:
        return connector.identify_account()


def probe(pair: TokenReply, *, requested: Collection[str], record: Recorder) -> tuple[str, ...]:
    """Return which of the requested permissions a new pair of tokens opens, by one small read of each.

    For a token reply that did not say what was granted. `mailboxes.all` is tried by reading alone.
    """
    permission = Permission(granted=None, requested=frozenset(requested))
    with _unstored(pair, permission, record) as connector:
        return tuple(scope for scope in requested if _is_open(connector, scope))


def _is_open(connector: OutreachConnector, scope: str) -> bool:
    try:
        return connector.is_granted(scope)
    except AccountRestricted:
        return True  # granted; what the account's own profile keeps from us is said where it is met


@contextmanager
def _unstored(pair: TokenReply, permission: Permission, record: Recorder) -> Iterator[OutreachConnector]:
    with OutreachClient(
        base_url=settings.OUTREACH_BASE_URL,
        access=_UnstoredAccess(pair),
        budget=_NoBudget(),
        permission=lambda: permission,
        record=record,
    ) as client:
        yield OutreachConnector(client)


class _UnstoredAccess:
    """The token of a connection that does not exist yet; there is nothing to renew it with."""

    def __init__(self, pair: TokenReply) -> None:
        self._pair = pair

    def token(self) -> str:
        return self._pair.access_token

    def renew(self, rejected: str) -> str:
        raise ConnectionLost("Outreach issued an access token and then did not accept it. Connect again.")


class _NoBudget:
    """A few calls, made while a person waits; the connection's own budget begins with the connection."""

    def take(self) -> None:
        return

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        return

    def blocked(self, seconds: float) -> None:
        return


def try_afterwards(access_token: str, *, scope: str, record: Recorder) -> int:
    """Return the HTTP status of one small read with a token that was just revoked; 0 where no answer came.

    Exactly one call, never repeated; what it answers is thrown away.
    scope: a permission that was granted and is switched on.
    """
    seen: list[int] = []

    def note(call: CallRecord) -> None:
        seen.append(call.status)
        record(call)

    with (
        OutreachClient(
            base_url=settings.OUTREACH_BASE_URL,
            access=_EndedAccess(access_token),
            budget=_NoBudget(),
            permission=lambda: Permission(granted=frozenset({scope})),
            record=note,
            repeats=False,
        ) as client,
        suppress(IntegrationError),
    ):  # being refused is what is hoped for
        OutreachConnector(client).is_granted(scope)
    return seen[-1] if seen else 0


class _EndedAccess:
    """The last copy of a token, before it is gone for good; there is nothing to renew it with."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renew(self, rejected: str) -> str:
        raise ConnectionLost("The access was revoked, as it should be.")


def refresh_tokens(refresh_token: str, *, record: Recorder | None = None) -> TokenReply:
    """Return a new pair for a refresh token. Raises members of `integrations.errors`."""
    with _oauth(record) as oauth:
        return oauth.refresh(refresh_token, get_redirect_uri())


def revoke_token(token: str, *, record: Recorder | None = None) -> bool:
    """Return whether Outreach confirmed the revocation. Raises Unreachable or RateLimited: worth a retry."""
    with _oauth(record) as oauth:
        return oauth.revoke(token)


def _oauth(record: Recorder | None) -> OAuthClient:
    return OAuthClient(
        base_url=settings.OUTREACH_BASE_URL,
        client_id=settings.OUTREACH_CLIENT_ID,
        client_secret=settings.OUTREACH_CLIENT_SECRET,
        record=record,
    )
