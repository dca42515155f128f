"""Factory: builds Outreach's clients from this installation's settings; PROVIDER is what the rest sees."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.urls import reverse

from integrations.catalogue import Attempt, Call, Provider
from integrations.connector import AccountIdentity, Connector
from integrations.errors import AccountRestricted, ConnectionLost, IntegrationError
from integrations.interfaces import AccessSource, Budget, CallRecord, Permission, Recorder, Unlimited

from .allowed_calls import ENDPOINTS, LIST_USERS
from .client import OutreachClient
from .connector import OutreachConnector
from .oauth import OAuthClient, TokenReply
from .pace import Pace
from .proof import ATTEMPTS, Proof, run_proof
from .replies import FORBIDDEN_CODES
from .scopes import LISTING_SCOPES, LOOKUP_SCOPE, NARROWER, NARROWER_SCOPES, SCOPES, features_lost


def get_redirect_uri() -> str:
    """Return where Outreach sends people back: from configuration, never from a request's Host header."""
    return settings.PUBLIC_URL + reverse("outreach_callback")


def exchange_code(code: str, *, code_verifier: str, record: Recorder) -> TokenReply:
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
        budget=Unlimited(),
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


class _EndedAccess:
    """The last copy of a token, before it is gone for good; there is nothing to renew it with."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def renew(self, rejected: str) -> str:
        raise ConnectionLost("The access was revoked, as it should be.")


def _oauth(record: Recorder) -> OAuthClient:
    return OAuthClient(
        base_url=settings.OUTREACH_BASE_URL,
        client_id=settings.OUTREACH_CLIENT_ID,
        client_secret=settings.OUTREACH_CLIENT_SECRET,
        record=record,
    )


class Outreach:
    """Outreach as a provider of `integrations.catalogue`."""

    scopes = SCOPES
    narrower_scopes = NARROWER_SCOPES
    narrower = NARROWER
    listing_scopes = LISTING_SCOPES
    lookup_scope = LOOKUP_SCOPE
    calls: tuple[Call, ...] = ENDPOINTS
    attempts: tuple[Attempt, ...] = ATTEMPTS
    forbidden_codes: Mapping[str, str] = FORBIDDEN_CODES
    probes: Mapping[str, Callable[[Connector], object]] = {
        LISTING_SCOPES["people"]: lambda connector: connector.identify_account(),
        LISTING_SCOPES["teams"]: lambda connector: next(iter(connector.list_teams())),
        LISTING_SCOPES["mailboxes"]: lambda connector: connector.read_mailboxes(["1"]),
    }

    def features_lost(self, missing: Iterable[str]) -> tuple[str, ...]:
        return features_lost(missing)

    @contextmanager
    def open_connector(
        self,
        *,
        access: AccessSource,
        permission: Callable[[], Permission],
        budget: Budget,
        record: Recorder,
        single_try_seconds: float | None = None,
    ) -> Iterator[OutreachConnector]:
        single_try: dict[str, Any] = (
            {} if single_try_seconds is None else {"seconds": single_try_seconds, "pace": Pace(repeats=False)}
        )
        with OutreachClient(
            base_url=settings.OUTREACH_BASE_URL,
            access=access,
            budget=budget,
            permission=permission,
            record=record,
            **single_try,
        ) as client:
            yield OutreachConnector(client)

    def refresh_tokens(self, refresh_token: str, *, record: Recorder) -> TokenReply:
        with _oauth(record) as oauth:
            return oauth.refresh(refresh_token, get_redirect_uri())

    def revoke_token(self, token: str, *, record: Recorder) -> bool:
        with _oauth(record) as oauth:
            return oauth.revoke(token)

    def try_afterwards(self, access_token: str, *, scope: str, record: Recorder) -> int:
        """Make exactly one call, never repeated; what it answers is thrown away.

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
                budget=Unlimited(),
                permission=lambda: Permission(granted=frozenset({scope})),
                record=note,
                pace=Pace(repeats=False),
            ) as client,
            suppress(IntegrationError),
        ):  # being refused is what is hoped for
            OutreachConnector(client).is_granted(scope)
        return seen[-1] if seen else 0

    def run_proof(self, *, record: Recorder) -> Proof:
        return run_proof(base_url=settings.OUTREACH_BASE_URL, record=record)


PROVIDER: Provider = Outreach()
