"""Invitation views: send again, withdraw and accept."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.accounts.invitations import (
    AnyInvitation,
    InvitationRefused,
    accept,
    accept_as_new,
    check_open,
    find_by_digest,
    find_invitation,
    resend,
    withdraw,
)
from portal.accounts.members import MembershipRefused
from portal.accounts.sender_invitations import note_opened
from portal.forms.accounts import ChoosePasswordForm
from portal.models import Domain, IdentityProvider, Membership, User
from portal.reauth import recently_authenticated
from signatures.models import SenderAccount, SenderInvitation

from .members import tell_sent

_HELD = "invitation"  # the digest of the token this browser came with


@require(Permission.MANAGE_MEMBERS)
@recently_authenticated(returns_to="portal:members")
@require_POST
def invitation_resend(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Send a new link and invalidate the old one."""
    found = get_object_or_404(domain.invitations, pk=pk)
    try:
        tell_sent(request, resend(found, actor=get_actor(request)))
    except MembershipRefused as refusal:
        messages.error(request, refusal.message)
    return redirect("portal:members", domain.name)


@require(Permission.MANAGE_MEMBERS)
@recently_authenticated(returns_to="portal:members")
@require_POST
def invitation_withdraw(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Withdraw the invitation, so that its link no longer works."""
    found = get_object_or_404(domain.invitations, pk=pk)
    try:
        withdraw(found, actor=get_actor(request))
        messages.success(request, f"The invitation of {found.email} is withdrawn.")
    except MembershipRefused as refusal:
        messages.error(request, refusal.message)
    return redirect("portal:members", domain.name)


@login_not_required
@require_safe
def invitation_link(request: HttpRequest, token: str) -> HttpResponse:
    """Move the token from the URL into the session, so that no log or referrer contains it."""
    found = find_invitation(token)
    request.session[_HELD] = found.token_sha256 if found else ""
    response = redirect("portal:invitation")
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponse:
    """Accept the invitation with an existing account, or with a new one and its password."""
    try:
        held = find_by_digest(request.session.get(_HELD, ""))
        found = check_open(held, at=timezone.now())
        if isinstance(found, SenderInvitation):
            note_opened(found)
        account = User.objects.filter(email__iexact=found.email).first()
        if account is not None and not account.is_active:
            raise InvitationRefused(
                "This account is deactivated", "Ask the operator of this portal to reactivate it."
            )
        if request.user.is_authenticated:
            return _join(request, found)
        if IdentityProvider.objects.filter(domain=found.domain, is_required=True).exists():
            return _show(request, found, signs_in_by_company=True)
        if account is not None:
            return _show(request, found, has_account=True)
        return _choose_password(request, found)
    except InvitationRefused as refusal:
        return _show(request, None, refusal=refusal, status=410)


def _join(request: HttpRequest, found: AnyInvitation) -> HttpResponse:
    person = get_actor(request)
    if person.email.lower() != found.email.lower():
        return _show(request, found, is_somebody_else=True, status=403)
    if request.method != "POST":
        return _show(request, found, has_account=True)
    return _enter(request, accept(found, person))


def _choose_password(request: HttpRequest, found: AnyInvitation) -> HttpResponse:
    form = ChoosePasswordForm(request.POST if request.method == "POST" else None, email=found.email)
    if not form.is_valid():
        return _show(request, found, form=form)
    accepted = accept_as_new(found, form.cleaned_data["password1"])
    login(request, accepted.user, backend="django.contrib.auth.backends.ModelBackend")
    return _enter(request, accepted)


def _enter(request: HttpRequest, accepted: Membership | SenderAccount) -> HttpResponse:
    request.session.pop(_HELD, None)
    if isinstance(accepted, SenderAccount):
        return redirect("signatures:me", accepted.sender.domain.name)
    membership = accepted
    messages.success(
        request, f"You are now {membership.get_role_display().lower()} of {membership.domain.name}."
    )
    return redirect("portal:overview", membership.domain.name)


def _show(
    request: HttpRequest, found: AnyInvitation | None, *, status: int = 200, **context: Any
) -> HttpResponse:
    response = render(request, "portal/invitation.html", {"invitation": found, **context}, status=status)
    response["Cache-Control"] = "no-store"
    return response
