"""Context processors: give every page its domain, the user's permissions, and the worker's state."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Subquery
from django.db.models.functions import Now
from django.http import HttpRequest

from portal.worker.heartbeat import Worker, describe_beat, list_beats
from signatures.releases.publish import list_drafts
from signatures.self_service.changes import count_waiting
from signatures.senders.mailbox_status import count_edited

from . import __version__
from .access import PERMISSIONS, Permission, get_role, get_visible_domains
from .models import Domain, IdentityProvider, Role, User

MENU_DOMAINS = 20  # more are found on the list of domains
PLACED_UNDER = {
    "sign-in": "settings",
    "invitations": "members",
    "originals": "deliveries",
    "delivery-settings": "settings",
    "notices": "settings",
    "dated": "groups",
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
        **_list_menu(user, domain),
    }


def _list_menu(user: User, domain: Domain) -> dict[str, Callable[[], Any]]:
    """Return what the menu and the bar say. Asked only where a page has them: all but the drafts in one query."""

    @cache
    def read() -> tuple[list[str], Worker, int, int]:
        beat_at = Subquery(list_beats().values("beat_at"))
        edited, waiting = Subquery(count_edited(domain)), Subquery(count_waiting(domain))
        columns = ("name", beat_at, Now(), edited, waiting)
        rows = list(get_visible_domains(user).values_list(*columns)[:MENU_DOMAINS])
        _, last, now, edits, changes = rows[0] if rows else ("", None, None, 0, 0)
        return [name for name, *_ in rows], describe_beat(last, now), edits or 0, changes or 0

    return {
        "my_domains": lambda: read()[0],
        "worker": lambda: read()[1],
        # What somebody has to act on.
        "draft_count": lambda: len(list_drafts(domain)),
        "edited_count": lambda: read()[2],
        "change_count": lambda: read()[3],
    }
