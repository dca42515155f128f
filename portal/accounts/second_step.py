"""Multi-factor authentication: who must set it up, and what a person confirms before changing it.

Whoever has an app or a key changes it, and sees recovery codes, only after having shown one of the three
within five minutes: a password alone takes none of them away. Whoever has none yet proves who they are in
the way `reauth` asks for.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_used
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import encrypt
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from portal.models import Membership, Role, User
from portal.reauth import RECENT_SECONDS, ask_again, is_recent

_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes alone are none

# Where somebody without a second step may go: to set one up, to say once more who they are (by a password that
# they choose anew, where their company's sign-in cannot say it), and out.
OPEN = frozenset(
    {
        "account_logout", "account_reauthenticate", "mfa_index", "mfa_activate_totp", "mfa_list_webauthn",
        "mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes",
        "sso_login", "sso_callback", "sso_switch", "saml_finish", "account_reset_password",
        "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    }
)  # fmt: skip

# What takes a second step away, and what else changes it or shows its recovery codes.
REMOVING = frozenset({"mfa_deactivate_totp", "mfa_remove_webauthn"})
CHANGING = REMOVING | {
    "mfa_activate_totp", "mfa_add_webauthn", "mfa_edit_webauthn", "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes", "mfa_download_recovery_codes",
}  # fmt: skip

_SHOWN_AT, _ADDED_AT = "second_step_shown_at", "second_step_added_at"  # in the session


class SetUpAppForm(ActivateTOTPForm):
    """Form that sets up an authenticator app. The code is consumed, so it cannot be used to sign in as well."""

    def clean_code(self) -> str:
        code = str(super().clean_code())
        app = TOTP(Authenticator(user=self.user, data={"secret": encrypt(self.secret)}))
        if not app.validate_code(code):
            raise ValidationError("This code was already used. Wait for the next one.")
        context.request.session[_ADDED_AT] = time.time()
        return code


@receiver(authenticator_used)
def remember_shown(request: HttpRequest, *, reauthenticated: bool = False, **kwargs: Any) -> None:
    """Note in the session when its person last confirmed with a second factor or a recovery code."""
    if reauthenticated:
        request.session[_SHOWN_AT] = time.time()


@receiver(authenticator_added)
def remember_added(request: HttpRequest, **kwargs: Any) -> None:
    """Note in the session that a key was added, which proves possession; for an app, its form does this."""
    request.session[_ADDED_AT] = time.time()


def _has_shown(request: HttpRequest, *, is_removing: bool) -> bool:
    """Return whether the session's person used a second factor within five minutes.

    Having added one counts too, except for removing one.
    """
    marks = (_SHOWN_AT,) if is_removing else (_SHOWN_AT, _ADDED_AT)
    now = time.time()
    return any(0 <= now - request.session.get(mark, 0.0) < RECENT_SECONDS for mark in marks)


def ask_for_proof(request: HttpRequest, user: User, name: str) -> HttpResponseBase | None:
    """Return where a person confirms who they are before changing MFA; None where they have.

    name: of the page, one of CHANGING.
    """
    if not has_second_step(user):
        return None if is_recent(request) else ask_again(request, back=request.path)
    if _has_shown(request, is_removing=name in REMOVING):
        return None
    ways = get_adapter().get_reauthentication_methods(user)
    way = next(way for way in ways if way["id"].startswith("mfa_reauthenticate"))
    return redirect(f"{way['url']}?{urlencode({REDIRECT_FIELD_NAME: request.path})}")


def has_second_step(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type__in=_FACTORS).exists()


def is_second_step_due(user: User) -> bool:
    """Return whether somebody has no second step and may have to set one up; one query, as every request asks it."""
    enrolled = Authenticator.objects.filter(user=OuterRef("pk"), type__in=_FACTORS)
    demanding = Membership.objects.filter(user=OuterRef("pk"), domain__require_mfa=True)
    answers = User.objects.filter(pk=user.pk).values_list(Exists(enrolled), Exists(demanding))
    has_it, is_asked = answers.first() or (False, True)  # gone meanwhile
    return not has_it and (is_asked or settings.REQUIRE_MFA)


def get_mfa_reason(user: User) -> str:
    """Return why this person must use MFA, as a sentence; '' where they need not."""
    memberships = Membership.objects.filter(user=user).select_related("domain")
    demanding = memberships.filter(domain__require_mfa=True).first()
    if demanding is not None:
        return f"{demanding.domain.name} requires multi-factor authentication (MFA) of all its members."
    if not settings.REQUIRE_MFA:
        return ""
    if user.is_staff:
        return "You can see every domain here, so your account needs multi-factor authentication (MFA)."
    owned = memberships.filter(role=Role.OWNER).first()
    return (
        f"You own {owned.domain.name}, so your account needs multi-factor authentication (MFA)."
        if owned
        else ""
    )


class SecondStepMiddleware:
    """Redirects people who must use MFA and have not set it up to its page.

    Runs at every request. It also asks for confirmation before MFA is changed on allauth's pages.
    """

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
        if not isinstance(user, User) or is_public:
            return None
        if match is not None and match.view_name in CHANGING:
            asked = ask_for_proof(request, user, match.view_name)
            if asked is not None:
                return asked
        why = get_mfa_reason(user) if is_second_step_due(user) else ""
        if not why:
            return None
        request.second_step_why = why  # type: ignore[attr-defined]  # the pages of the set-up say it
        if match is not None and match.view_name in OPEN:
            return None
        target = reverse("mfa_index")
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": target})
        return redirect(target)
