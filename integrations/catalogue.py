"""What a person reads before connecting: the permissions, the calls, and what is lost without each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.module_loading import import_string

from portal.models import Domain

from .models import Connection, SwitchedOff
from .registry import NEEDED, get_provider_part, list_alternatives


def list_scopes(provider: str = "outreach", *, requested: Iterable[str] = ()) -> tuple[Any, ...]:
    """Return the permissions we request: name, title, opens, why, never, verbs and endpoints of each.

    requested: what one connection asked for, where that may differ from the usual request.
    """
    usual = tuple(get_provider_part(provider, "SCOPES"))
    wanted = list(requested)
    if not wanted:
        return usual
    known = {scope.name: scope for scope in (*usual, *get_provider_part(provider, "NARROWER_SCOPES"))}
    return tuple(known[name] for name in wanted if name in known)


def list_scope_names(provider: str = "outreach") -> list[str]:
    """Return the name of every permission that any connection may have been asked for."""
    return list(
        dict.fromkeys(
            name for scope in list_scopes(provider) for name in list_alternatives(provider, scope.name)
        )
    )


def list_narrower_scopes(provider: str = "outreach") -> list[tuple[Any, Any]]:
    """Return (usual, narrower) for each permission in whose place less may be asked for."""
    narrower = {scope.name: scope for scope in get_provider_part(provider, "NARROWER_SCOPES")}
    names = get_provider_part(provider, "NARROWER")
    return [(scope, narrower[names[scope.name]]) for scope in list_scopes(provider) if scope.name in names]


def list_calls(provider: str = "outreach") -> tuple[Any, ...]:
    """Return every call the portal can make to this provider; there is no other."""
    return tuple(get_provider_part(provider, "ENDPOINTS"))


def features_lost(missing: Iterable[str], provider: str = "outreach") -> tuple[str, ...]:
    """Return one sentence for each feature that a missing permission takes away."""
    return tuple(get_provider_part(provider, "features_lost")(missing))


@dataclass(frozen=True, slots=True)
class LostFeature:
    """What does not work, and why. off: who switched the permission off here; None where it was not granted."""

    scope: str
    sentence: str
    off: SwitchedOff | None


def list_lost_features(connection: Connection, *listings: str) -> list[LostFeature]:
    """Return what each permission takes away that was asked for and is not granted, or is switched off here.

    listings: of people, teams and mailboxes, those that matter on a page; all permissions where none is named.
    """
    wanted = [connection.name_scope(NEEDED[listing]) for listing in listings]
    return [
        LostFeature(
            scope,
            " ".join(features_lost([scope], connection.provider)),
            connection.get_switch(scope) if scope in connection.scopes_granted else None,
        )
        for scope in connection.scopes_requested
        if (not wanted or scope in wanted) and not connection.has_scope(scope)
    ]


def asks_narrowly(connection: Connection | None) -> bool:
    """Return whether this connection was asked for with the narrower request."""
    if connection is None:
        return False
    narrower = {less.name for _, less in list_narrower_scopes(connection.provider)}
    return not narrower.isdisjoint(connection.scopes_requested)


def start_authorisation(
    request: HttpRequest, domain: Domain, *, narrower: bool, provider: str = "outreach"
) -> HttpResponseBase:
    """Send the person to the provider's own consent page; they come back to the provider's callback.

    narrower: ask for less, where the provider has a narrower permission that is enough.
    """
    response: HttpResponseBase = import_string(f"integrations.{provider}.views.start_authorisation")(
        request, domain, narrower=narrower
    )
    return response
