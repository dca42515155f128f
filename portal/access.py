"""Access: who may do what in a domain, and the decorators that check it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponseBase

from .models import Domain, Membership, Role, User
from .page_reads import remember_reads, with_domain_rows
from .trace import note


class Permission(StrEnum):
    """One thing a person may do in a domain."""

    VIEW = "view"  # overview, senders, groups, templates, deliveries, syncs
    EDIT_SIGNATURES = "edit_signatures"  # templates, brand and a sender's own values, as drafts
    MANAGE_GROUPS = "manage_groups"  # the groups' order and what each is assigned, as drafts
    MANAGE_CAMPAIGNS = "manage_campaigns"  # campaigns, banners, audiences, recipient lists, the banner slot
    PUBLISH = "publish"  # make drafts live, and go back to an earlier release
    DELIVER = "deliver"  # sync now, deliver, pause
    CONNECT = "connect"  # connect, disconnect, download originals
    VIEW_LEDGER = "view_ledger"
    INVITE_SENDERS = "invite_senders"  # to self-service: they see and edit their own signature alone
    MANAGE_MEMBERS = "manage_members"
    MANAGE_DOMAIN = "manage_domain"
    MANAGE_SIGN_IN = "manage_sign_in"  # sign-in, SSO and MFA of members


_LOOK = frozenset({Permission.VIEW})
_ALL = frozenset(Permission)

PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: _ALL - {Permission.MANAGE_SIGN_IN},
    Role.APPROVER: _LOOK
    | {
        Permission.EDIT_SIGNATURES,
        Permission.MANAGE_GROUPS,
        Permission.PUBLISH,
        Permission.DELIVER,
        Permission.INVITE_SENDERS,
    },
    Role.EDITOR: _LOOK | {Permission.EDIT_SIGNATURES, Permission.MANAGE_GROUPS, Permission.MANAGE_CAMPAIGNS},
    Role.AUDITOR: _LOOK | {Permission.VIEW_LEDGER},
    # Operators view every domain here; they change things in Django admin.
    "staff": _LOOK | {Permission.VIEW_LEDGER},
}


def get_role(user: User | AnonymousUser, domain: Domain) -> str:
    """Return the person's role in the domain, 'staff' for operators who are no members, or ''."""
    if not isinstance(user, User) or not user.is_active:
        return ""
    role = Membership.objects.filter(user=user, domain=domain).values_list("role", flat=True).first()
    return role or ("staff" if user.is_staff else "")


def find_domain(
    user: User | AnonymousUser, name: str, *, is_with_rows: bool = False
) -> tuple[Domain, str] | None:
    """Return the domain of this name with the person's role in it, or None where they cannot see it; one query.

    is_with_rows: read its settings of every kind in the same query.
    """
    theirs = Membership.objects.filter(domain=OuterRef("pk"), user=user.pk).order_by()
    visible = get_visible_domains(user).annotate(their_role=Subquery(theirs.values("role")[:1]))
    if is_with_rows:
        visible = with_domain_rows(visible)
    found = visible.filter(name=name).first()
    return None if found is None else (found, found.their_role or "staff")


def get_permissions(user: User | AnonymousUser, domain: Domain) -> frozenset[Permission]:
    """Return everything this person may do in this domain; read again at every request."""
    return PERMISSIONS.get(get_role(user, domain), frozenset())


def get_visible_domains(user: User | AnonymousUser) -> QuerySet[Domain]:
    """Return the domains a person may look at: their own, or all for staff."""
    if not isinstance(user, User) or not user.is_active:
        return Domain.objects.none()
    return Domain.objects.all() if user.is_staff else Domain.objects.filter(memberships__user=user)


def may_change_membership(user: User | AnonymousUser, membership: Membership, new_role: str | None) -> bool:
    """Return whether this person may give `new_role` (None: remove). Only owners add and remove owners."""
    if Permission.MANAGE_MEMBERS not in get_permissions(user, membership.domain):
        return False
    touches_owner = Role.OWNER in (membership.role, new_role)
    return not touches_owner or get_role(user, membership.domain) == Role.OWNER


def get_actor(request: HttpRequest) -> User:
    """Return who acts, on a page that only somebody signed in can reach."""
    return cast(User, request.user)


def check_permission(request: HttpRequest, domain: Domain, permission: Permission) -> None:
    """Raise PermissionDenied unless the requesting user holds `permission`."""
    if permission not in get_permissions(request.user, domain):
        raise _forbidden(domain)


def _forbidden(domain: Domain) -> PermissionDenied:
    return PermissionDenied(f"Your role in {domain.name} does not include this.")


def may(request: HttpRequest, permission: Permission) -> bool:
    """Return whether the user has this permission in the domain of a page that `require` guards."""
    return permission in PERMISSIONS.get(request.role, frozenset())  # type: ignore[attr-defined]  # set by `require`


def require(
    permission: Permission,
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Restrict a view to people who hold `permission` in the domain its URL names.

    The view gets the Domain in place of its name. Somebody who cannot see the domain gets the same 404 as for
    a domain that does not exist.
    """

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, domain: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            only_shows = request.method in ("GET", "HEAD")
            seen = find_domain(request.user, domain, is_with_rows=only_shows)
            if seen is None:
                raise Http404("No such domain.")
            found, role = seen
            note(domain=found.name)
            if permission not in PERMISSIONS.get(role, frozenset()):
                raise _forbidden(found)
            if only_shows:
                remember_reads(found)
            # Read by `may` and by the context processor.
            request.domain, request.role = found, role  # type: ignore[attr-defined]
            return view(request, found, *args, **kwargs)

        guarded.required_permission = permission  # type: ignore[attr-defined]  # the access tests list it
        return guarded

    return decorate


def require_staff(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Restrict a view of all domains to operators."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not (isinstance(request.user, User) and request.user.is_active and request.user.is_staff):
            raise PermissionDenied("This page is for operators of this portal.")
        return view(request, *args, **kwargs)

    guarded.required_permission = "staff"  # type: ignore[attr-defined]  # the access tests list it
    return guarded
