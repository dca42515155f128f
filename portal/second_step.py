"""Who must have a second step and has none: they set it up, and get nowhere else before."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from .models import Membership, Role, User

_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes alone are none

# Where somebody without a second step may go: to set one up, to say once more who they are, and out.
OPEN = frozenset(
    {
        "account_logout", "account_reauthenticate", "mfa_index", "mfa_activate_totp", "mfa_list_webauthn",
        "mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes",
    }
)  # fmt: skip


def has_second_step(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=_FACTORS).exists()


def say_why_required(user: User) -> str:
    """Return why this person must have a second step, as a sentence; '' for who need not."""
    memberships = Membership.objects.filter(user=user).select_related("domain")
    demanding = memberships.filter(domain__require_mfa=True).first()
    if demanding is not None:
        return f"{demanding.domain.name} requires a second step of all its members."
    if not settings.REQUIRE_MFA:
        return ""
    if user.is_staff:
        return "You can see every domain here, so your account needs a second step."
    owned = memberships.filter(role=Role.OWNER).first()
    return f"You own {owned.domain.name}, so your account needs a second step." if owned else ""


class SecondStepMiddleware:
    """Takes people who must have a second step and have none to where they set it up. Asked at every request."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        user = request.user
        match = request.resolver_match
        is_public = not getattr(view, "login_required", True) and match is not None and bool(match.app_name)
        if not isinstance(user, User) or is_public or has_second_step(user):
            return None
        why = say_why_required(user)
        if not why:
            return None
        request.second_step_why = why  # type: ignore[attr-defined]  # the pages of the set-up say it
        if match is not None and match.view_name in OPEN:
            return None
        target = reverse("mfa_index")
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": target})
        return redirect(target)
