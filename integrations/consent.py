"""What a person reads before connecting: the permissions, the calls, and what is lost without each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.module_loading import import_string

from portal.models import Domain

from .models import Connection
from .registry import NEEDED, get_provider_part


def list_scopes(provider: str = "outreach") -> tuple[Any, ...]:
    """Return the permissions we request: name, title, opens, why, never, verbs and endpoints of each."""
    return tuple(get_provider_part(provider, "SCOPES"))


def list_calls(provider: str = "outreach") -> tuple[Any, ...]:
    """Return every call the portal can make to this provider; there is no other."""
    return tuple(get_provider_part(provider, "ENDPOINTS"))


def features_lost(missing: Iterable[str], provider: str = "outreach") -> tuple[str, ...]:
    """Return one sentence for each feature that a missing permission takes away."""
    return tuple(get_provider_part(provider, "features_lost")(missing))


def list_lost_features(connection: Connection, *listings: str) -> list[tuple[str, str]]:
    """Return (scope, sentence) for each permission that was asked for and not granted.

    listings: of people, teams and mailboxes, those that matter on a page; all permissions where none is named.
    """
    wanted = [NEEDED[listing] for listing in listings] or connection.scopes_requested
    missing = [scope for scope in connection.scopes_missing if scope in wanted]
    return [(scope, " ".join(features_lost([scope], connection.provider))) for scope in missing]


def start_authorisation(request: HttpRequest, domain: Domain, provider: str = "outreach") -> HttpResponseBase:
    """Send the person to the provider's own consent page; they come back to the provider's callback."""
    response: HttpResponseBase = import_string(f"integrations.{provider}.views.start_authorisation")(
        request, domain
    )
    return response
