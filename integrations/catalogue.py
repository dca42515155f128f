"""Catalogue: the provider a domain connects to, with its permissions and its calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from .connector import Connector
from .interfaces import AccessSource, Budget, Permission, Recorder, TokenPair


class Call(Protocol):
    """One entry of the provider's table of calls; nothing outside the table leaves."""

    @property
    def name(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def attributes_written(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing a permission lets the holder do. name: read, write or delete; state: requested, or never used here."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission as the consent page shows it.

    never: what the provider would also let it do and we never do; '' if there is nothing.
    endpoints: the calls of the table that need it.
    """

    name: str
    title: str
    opens: str
    why: str
    never: str
    verbs: tuple[Verb, ...]
    endpoints: tuple[Call, ...]


class Attempt(Protocol):
    """A forbidden call that the least-privilege test attempts. would: what it would do."""

    @property
    def title(self) -> str: ...
    @property
    def would(self) -> str: ...


class Finding(Protocol):
    """How one attempt ended."""

    @property
    def attempt(self) -> Attempt: ...
    @property
    def is_stopped(self) -> bool: ...
    @property
    def how(self) -> str: ...


class Proof(Protocol):
    """What came of all attempts: how many were stopped, opened a connection or asked for a token."""

    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def stopped(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def holds(self) -> bool: ...


class Provider(Protocol):
    """An outside system that a domain connects to.

    listing_scopes: the permission that opens each listing: people, teams and mailboxes.
    lookup_scope: the permission that opens looking one recipient up.
    narrower: permission -> the one that may be asked for in its place.
    probes: permission -> one small read that shows whether it works.
    forbidden_codes: what the provider calls a 403 whose cause is 'scope' or 'account'.
    """

    scopes: tuple[Scope, ...]
    narrower_scopes: tuple[Scope, ...]
    narrower: Mapping[str, str]
    listing_scopes: Mapping[str, str]
    lookup_scope: str
    calls: tuple[Call, ...]
    attempts: tuple[Attempt, ...]
    probes: Mapping[str, Callable[[Connector], object]]
    forbidden_codes: Mapping[str, str]

    def features_lost(self, missing: Iterable[str]) -> tuple[str, ...]:
        """Return one sentence for each feature that a missing permission takes away."""

    def open_connector(
        self,
        *,
        access: AccessSource,
        permission: Callable[[], Permission],
        budget: Budget,
        record: Recorder,
        single_try_seconds: float | None = None,
    ) -> AbstractContextManager[Connector]:
        """Open a connector whose every call asks for `permission` first.

        single_try_seconds: each call is made once, and ends after this long; None repeats failed reads.
        """

    def refresh_tokens(self, refresh_token: str, *, record: Recorder) -> TokenPair:
        """Return a new pair for a refresh token. Raises members of `integrations.errors`."""

    def revoke_token(self, token: str, *, record: Recorder) -> bool:
        """Return whether the revocation was confirmed. Raises Unreachable or RateLimited: worth a retry."""

    def try_afterwards(self, access_token: str, *, scope: str, record: Recorder) -> int:
        """Return the HTTP status of one small read with a revoked token; 0 where no answer came."""

    def run_proof(self, *, record: Recorder) -> Proof:
        """Return what came of attempting every forbidden call; nothing leaves."""


_registered: list[Provider] = []


def register(provider: Provider) -> None:
    """Make this the provider that domains connect to. Called once, when the app is ready."""
    _registered[:] = [provider]


def get_provider() -> Provider:
    return _registered[0]


def list_scopes(*, requested: Iterable[str] = ()) -> tuple[Scope, ...]:
    """Return the permissions that are requested, or those named in `requested` where it names any."""
    provider, wanted = get_provider(), list(requested)
    if not wanted:
        return provider.scopes
    known = {scope.name: scope for scope in (*provider.scopes, *provider.narrower_scopes)}
    return tuple(known[name] for name in wanted if name in known)


def list_scope_names() -> list[str]:
    """Return the name of every permission that any connection may have been asked for."""
    return list(dict.fromkeys(name for scope in list_scopes() for name in list_alternatives(scope.name)))


def list_narrower_scopes() -> list[tuple[Scope, Scope]]:
    """Return (usual, narrower) for each permission in whose place less may be asked for."""
    provider = get_provider()
    narrower = {scope.name: scope for scope in provider.narrower_scopes}
    names = provider.narrower
    return [(scope, narrower[names[scope.name]]) for scope in provider.scopes if scope.name in names]


def list_alternatives(scope: str) -> Collection[str]:
    """Return the permissions that serve in each other's place, `scope` among them, the widest first."""
    return next((pair for pair in get_provider().narrower.items() if scope in pair), (scope,))


def list_calls() -> tuple[Call, ...]:
    """Return every call the portal can make to the provider; there is no other."""
    return get_provider().calls


def features_lost(missing: Iterable[str]) -> tuple[str, ...]:
    """Return one sentence for each feature that a missing permission takes away."""
    return get_provider().features_lost(missing)
