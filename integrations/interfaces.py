"""Interfaces: what a provider's client is given (access, budget, permission, recorder) and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class AccessSource(Protocol):
    """Leases access tokens for one connection."""

    def token(self) -> str:
        """Return an access token that should be good now. Raises: ConnectionLost and its siblings."""

    def renew(self, rejected: str) -> str:
        """Return a token other than `rejected`, which Outreach has just answered with 401."""


class Budget(Protocol):
    """The hourly allowance of one connection, over all processes."""

    def take(self) -> None:
        """Take one call. Raises: RateLimited when none is left; then nothing leaves."""

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        """Take note of what the latest reply said about the allowance."""

    def blocked(self, seconds: float) -> None:
        """Take note that Outreach wants no call for `seconds` (1 to 3600)."""


class Unlimited:
    """A budget without limits, for the few calls made before and after a connection has its own."""

    def take(self) -> None:
        return

    def learn(self, limit: int, remaining: int, resets_in_seconds: float | None) -> None:
        return

    def blocked(self, seconds: float) -> None:
        return


@dataclass(frozen=True, slots=True)
class Permission:
    """What this connection may do at this moment.

    granted: of the scopes that were asked for, those Outreach granted; None where it did not say. Unknown
        opens reads, which is how it becomes known, and no write.
    requested: what was asked for, where `granted` is None; it names the calls then.
    switched_off: scopes an admin switched off here.
    writes_allowed: False in dry run and while paused.
    """

    granted: frozenset[str] | None
    switched_off: frozenset[str] = frozenset()
    writes_allowed: bool = False
    requested: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt to call Outreach, for the ledger. Holds names and counts; no value, no token.

    verb: 'read', 'write', or 'token' for OAuth's own calls (which have no scope).
    status: HTTP status; 0 where no reply arrived or nothing left.
    outcome: 'answered' (a usable reply), 'failed' (it left, and no usable reply came back) or
        'refused' (stopped here; no byte left).
    fields: what was asked for or written, by Outreach's names.
    object_id: '' for a listing.
    error: '' or our own sentence for what went wrong.
    cause: of a 403, 'scope' where the permission was not granted and 'account' where the account behind the
        connection may not; '' otherwise.
    skew_seconds: how far our clock is ahead of the reply's, negative where behind; None where it did not say.
    """

    endpoint: str
    scope: str
    method: str
    verb: str
    status: int
    outcome: str
    fields: tuple[str, ...]
    object_id: str
    item_count: int
    duration_ms: int
    error: str
    cause: str = ""
    skew_seconds: float | None = None


Recorder = Callable[[CallRecord], None]


class TokenPair(Protocol):
    """What a provider's token endpoint returned."""

    @property
    def access_token(self) -> str: ...
    @property
    def refresh_token(self) -> str: ...
    @property
    def expires_in_seconds(self) -> int: ...
    @property
    def scope(self) -> str | None: ...
