"""Context processors: give every page its domain, the user's permissions, and the worker's state."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from portal.worker.heartbeat import get_worker
from signatures.releases.publish import list_drafts
from signatures.self_service.changes import list_waiting
from signatures.senders.mailbox_status import count_edited

from . import __version__
from .access import PERMISSIONS, Permission, get_role, get_visible_domains
from .models import Domain, IdentityProvider, Role

MENU_DOMAINS = 20  # more are found on the list of domains
PLACED_UNDER = {
    "sign-in": "settings",
    "invitations": "members",
    "originals": "deliveries",
    "delivery-settings": "settings",
    "edited": "drift",
    "signatures": "senders",
    "changes": "senders",
    "self-service": "senders",
}


def find_menu_entry(route: str) -> str:
    """Return the key of the menu entry that a route of a domain belongs to: its first part after the domain."""
    before, _, after = route.partition("<str:domain>/")
    entry = after.partition("/")[0] or ("settings" if before.startswith("manage/") else "overview")
    return PLACED_UNDER.get(entry, entry)


def portal(request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {
        "site_name": "Countersign",
        "version": __version__,
        "sandbox": f"{settings.OUTREACH_BASE_URL}/people/" if settings.IS_SANDBOX else "",
        "has_sso": IdentityProvider.objects.exists,  # asked by the sign-in page alone
    }
    domain: Domain | None = getattr(request, "domain", None)
    user = getattr(request, "user", None)
    if domain is None or user is None or not user.is_authenticated:
        return context
    role = getattr(request, "role", None) or get_role(user, domain)
    held = PERMISSIONS.get(role, frozenset())
    return context | {
        "domain": domain,
        "here": find_menu_entry(request.resolver_match.route) if request.resolver_match else "",
        "role": Role(role).label.lower() if role in Role.values else role,
        "may": {permission.value: permission in held for permission in Permission},
        "my_domains": list(get_visible_domains(user).values_list("name", flat=True)[:MENU_DOMAINS]),
        "worker": get_worker(),
        # What somebody has to act on, as the menu says it: counted where the page has a menu.
        "draft_count": lambda: len(list_drafts(domain)),
        "change_count": lambda: list_waiting(domain).count(),
        "edited_count": lambda: count_edited(domain),
    }
