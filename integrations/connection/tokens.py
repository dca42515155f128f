"""Tokens: lease a live access token; one process refreshes, and the new pair is stored before it is used.

No database lock is held while Outreach answers. The refresher claims the row by a conditional update;
the others wait for the row's version to move. Whoever comes late cannot store over a newer pair.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connections as db_connections
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from integrations.crypto.sealing import Unsealable, open_sealed, seal
from integrations.errors import (
    ClientMisconfigured,
    ConnectionLost,
    IntegrationError,
    RateLimited,
    Unreachable,
)
from integrations.interfaces import Permission, TokenPair
from integrations.models import Connection, ConnectionState

EXPIRY_MARGIN = timedelta(minutes=2)
MINT_SPACING = timedelta(seconds=60)  # Outreach mints one token per user and application in 60 s
REFRESH_CLAIM = timedelta(seconds=30)  # longer than the longest token call
WATCH_SECONDS = 1.0  # a pause, a switch or an erasure holds for every thread after this long
DAILY = timedelta(hours=20)  # renewed at least this often, so that the 14 days never lapse

ALIVE = (ConnectionState.ACTIVE, ConnectionState.DISCONNECTING)


Refresher = Callable[[str], TokenPair]
"""Trades a refresh token for a new pair at the provider."""


def sealed_fields(connection_id: UUID, pair: TokenPair, *, at: datetime) -> dict[str, object]:
    """Return the columns that store `pair`, sealed to this row."""
    return {
        "access_sealed": seal(pair.access_token, bound_to=f"{connection_id}:access"),
        "refresh_sealed": seal(pair.refresh_token, bound_to=f"{connection_id}:refresh"),
        "access_expires_at": at + timedelta(seconds=pair.expires_in_seconds),
        "refreshed_at": at,
        "refresh_started_at": None,
    }


class ConnectionWatch:
    """One session's view of its connection, read again every second. Safe to use from several threads.

    for_restoring: the session of a disconnect, which may still write while the connection is being disconnected.
    """

    def __init__(self, connection_id: UUID, *, refresh: Refresher, for_restoring: bool = False) -> None:
        self._id = connection_id
        self._refresh = refresh
        self._for_restoring = for_restoring
        self._row: Connection | None = None
        self._access = ""
        self._read_at = 0.0
        self._lock = threading.RLock()

    def get_permission(self) -> Permission:
        """Return what may be done now. Raises ConnectionLost or ClientMisconfigured where that is nothing."""
        row = self._fresh_row()
        return Permission(
            # What Outreach granted without being asked is never used.
            granted=frozenset(row.scopes_granted) & frozenset(row.scopes_requested),
            switched_off=frozenset(row.scopes_switched_off),
            writes_allowed=row.allows_writes or self._for_restoring,
        )

    def token(self) -> str:
        """Return an access token with some life left, renewing it first where needed."""
        with self._lock:
            row = self._fresh_row()
            if _has_life_left(row):
                return self._access
            return self._renew(row)

    @property
    def token_version(self) -> int | None:
        """Which pair of tokens was read last; None before any was."""
        return None if self._row is None else self._row.token_version

    def renew(self, rejected: str) -> str:
        """Return a token other than `rejected`; another session's newer one serves as well."""
        with self._lock:
            row = self._fresh_row(at_once=True)
            return self._access if self._access != rejected else self._renew(row)

    def _renew(self, row: Connection) -> str:
        try:
            renew_tokens(row.pk, version=row.token_version, refresh=self._refresh)
        finally:
            _close_in_pool_thread()
        self._fresh_row(at_once=True)
        return self._access

    def _fresh_row(self, *, at_once: bool = False) -> Connection:
        with self._lock:
            if self._row is None or at_once or time.monotonic() - self._read_at > WATCH_SECONDS:
                try:
                    self._row = Connection.objects.get(pk=self._id)
                finally:
                    _close_in_pool_thread()
                self._read_at = time.monotonic()
                self._access = ""
            row = self._row
            if row.state not in ALIVE or (
                row.state == ConnectionState.DISCONNECTING and not self._for_restoring
            ):
                raise _over(row)
            if not self._access:
                self._access = _open(row.access_sealed, bound_to=f"{row.pk}:access")
            return row


def _has_life_left(row: Connection) -> bool:
    if row.access_expires_at is None or row.refreshed_at is None:
        return False
    # A token that lives a few minutes only is used for most of them, or there would be nothing to use.
    margin = min(EXPIRY_MARGIN, (row.access_expires_at - row.refreshed_at) / 4)
    return row.access_expires_at - margin > timezone.now()


def renew_tokens(
    connection_id: UUID, *, version: int, refresh: Refresher, states: Collection[ConnectionState] = ALIVE
) -> None:
    """The connection's token version is past `version`: renewed here, or by whoever was first.

    states: in which a renewal may be tried.
    Raises: ConnectionLost, ClientMisconfigured, RateLimited (within 60 s of the last renewal),
        Unreachable (nothing was lost; try again).
    """
    deadline = time.monotonic() + REFRESH_CLAIM.total_seconds()
    while True:
        row = Connection.objects.get(pk=connection_id)
        if row.state not in states:
            raise _over(row)
        if row.token_version != version:
            return
        now = timezone.now()
        if row.refreshed_at and timedelta(0) <= now - row.refreshed_at < MINT_SPACING:
            wait = MINT_SPACING - (now - row.refreshed_at)
            raise RateLimited(
                "Outreach issues one access token a minute. Work continues automatically within a minute.",
                retry_after_seconds=max(wait.total_seconds(), 1.0),
            )
        claimed = Connection.objects.filter(
            Q(refresh_started_at=None) | Q(refresh_started_at__lt=now - REFRESH_CLAIM),
            pk=connection_id,
            token_version=version,
            state__in=states,
        ).update(refresh_started_at=now)
        if claimed:
            break
        if time.monotonic() > deadline:
            raise Unreachable(
                "Another process is refreshing the token and has not finished. The portal tries again."
            )
        time.sleep(0.1)
    _renew_claimed(row, claimed_at=now, refresh=refresh)


def _renew_claimed(row: Connection, *, claimed_at: datetime, refresh: Refresher) -> None:
    # Nothing is stored over a newer pair, nor into a connection that has ended meanwhile.
    is_ours = Connection.objects.filter(
        pk=row.pk, token_version=row.token_version, state__in=[*ALIVE, ConnectionState.MISCONFIGURED]
    )
    try:
        pair = refresh(_open(row.refresh_sealed, bound_to=f"{row.pk}:refresh"))
    except Exception as error:
        # What ends a connection is recorded by whoever opened the session, and that ends the claim: nobody
        # asks again in between. A connection that is being disconnected stays so.
        ends_it = isinstance(error, (ConnectionLost, ClientMisconfigured))
        if not ends_it or row.state == ConnectionState.DISCONNECTING:
            is_ours.filter(refresh_started_at=claimed_at).update(refresh_started_at=None)
        raise
    with transaction.atomic():  # committed before anybody can read, and so use, the new token
        is_ours.update(token_version=F("token_version") + 1, **sealed_fields(row.pk, pair, at=timezone.now()))


def is_being_renewed(connection: Connection) -> bool:
    """Return whether somebody may be at the provider's token address for this connection just now."""
    started_at = connection.refresh_started_at
    return started_at is not None and started_at > timezone.now() - REFRESH_CLAIM


def _open(sealed: str, *, bound_to: str) -> str:
    if not sealed:
        raise ConnectionLost(
            "This portal has no token for Outreach any more. Connect again on the Outreach page."
        )
    try:
        return open_sealed(sealed, bound_to=bound_to)
    except Unsealable as error:
        raise ClientMisconfigured(
            "The stored token cannot be decrypted with the keys in TOKEN_KEYS. "
            "Add the earlier key again after the newest one, or connect again.",
            detail=str(error),
        ) from error


def _over(row: Connection) -> IntegrationError:
    """Return why nothing is done with this connection now; one that waits for the operator is not lost."""
    if row.state == ConnectionState.MISCONFIGURED:
        return ClientMisconfigured(row.state_reason)
    if row.state == ConnectionState.DISCONNECTING:
        return ConnectionLost("This connection is being disconnected and can no longer be used.")
    return ConnectionLost(row.state_reason or "Outreach is not connected. Connect it on the Outreach page.")


def _close_in_pool_thread() -> None:
    """A pool's thread ends without telling Django, so it keeps no database connection."""
    if (
        threading.current_thread() is not threading.main_thread()
        and not db_connections["default"].in_atomic_block
    ):
        db_connections["default"].close()
