"""Which providers there are, and where each keeps its parts."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string

# provider id -> the module that offers its parts; see integrations/outreach/factory.py for the list
PROVIDERS = {"outreach": "integrations.outreach.factory"}


# listing -> the permission that opens it
NEEDED = {"people": "users.all", "teams": "teams.read", "mailboxes": "mailboxes.all"}
# the same for looking one recipient up, which is no listing
LOOKUP_NEEDED = "prospects.read"


def list_alternatives(provider: str, scope: str) -> tuple[str, ...]:
    """Return the permissions that serve in each other's place, `scope` among them, the widest first."""
    pairs: list[tuple[str, str]] = list(get_provider_part(provider, "NARROWER").items())
    return next((pair for pair in pairs if scope in pair), (scope,))


def get_provider_part(provider: str, name: str) -> Any:
    """Return one part of a provider. Raises KeyError or ImportError for what is not there."""
    return import_string(f"{PROVIDERS[provider]}.{name}")
