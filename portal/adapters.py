"""Adapters for allauth: no self-service sign-up, encrypted MFA secrets, and long OAuth states."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import _build_apps_from_settings as build_apps_from_settings
from allauth.socialaccount.models import SocialAccount, SocialApp
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import get_random_string

from integrations.crypto.sealing import open_sealed, seal

from .client_address import get_client_address, read_address
from .models import IdentityProvider, User
from .sso.login import find_person, say_password_is_closed
from .sso.provider import get_app
from .sso.refusals import Refusal, refuse
from .sso.transport import make_session


class AccountAdapter(DefaultAccountAdapter):
    """Members are invited by an owner or admin of a domain; the sign-up page is closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client address that login limits count by; the proxy's where it forwards none."""
        address = get_client_address(request) or read_address(request.META.get("REMOTE_ADDR", ""))
        if not address:
            raise PermissionDenied("The server did not pass on the client address.")
        return address

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Refuse a correct password where the person's domain requires single sign-on."""
        is_sso = "sociallogin" in (kwargs.get("signal_kwargs") or {})
        domain = None if is_sso else say_password_is_closed(user)
        if domain is None:
            return super().pre_login(request, user, **kwargs)
        return render(request, "portal/sso_required.html", {"wanting": domain}, status=403)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Offer single sign-on again as reauthentication to people without a password or MFA."""
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        linked = SocialAccount.objects.filter(user_id=user.pk).first() if not found else None
        if linked is None:
            return found
        return [
            {
                "id": "sso",
                "description": "Sign in through your company",
                "url": reverse("sso_login", args=[linked.provider]),
            }
        ]


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Connecting Outreach never creates, finds or logs in a portal user; for single sign-on, `sso.login` does."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def list_providers(self, request: HttpRequest) -> list[Any]:
        """None: Outreach is connected on a domain's page, and single sign-on begins with one's own address."""
        return []

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """Outreach's from the settings, a domain's from its own row; never allauth's table, which is not sealed."""
        company = get_app(provider) if provider else None
        return (
            [company]
            if company
            else [
                app
                for apps in build_apps_from_settings(provider=provider, client_id=client_id).values()
                for app in apps
            ]
        )

    def get_requests_session(self) -> Any:
        return make_session()

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Continue single sign-on with a known person of its domain, or show why not."""
        row = (
            IdentityProvider.objects.select_related("domain")
            .filter(domain__name=sociallogin.account.provider)
            .first()
        )
        identity = getattr(request, "sso_identity", None)  # made by `sso.completion` alone
        if row is None or identity is None or sociallogin.state.get("process") != "login":
            raise PermissionDenied("This sign-in method is not set up here.")
        try:
            person = find_person(row, identity)
        except Refusal as refusal:
            raise ImmediateHttpResponse(refuse(request, refusal, domain=row.domain.name)) from refusal
        if not sociallogin.is_existing:
            sociallogin.connect(request, person)
        if request.user == person:  # they were asked who they are once more
            if identity.authenticated_at is not None:
                at = request.proved_at  # type: ignore[attr-defined]  # by the provider's own clock
                record_authentication(request, person, "socialaccount", reauthenticated=True, at=at)
            raise ImmediateHttpResponse(redirect(sociallogin.get_redirect_url(request) or "/"))

    def generate_state_param(self, state: dict[str, Any]) -> str:
        return get_random_string(43)  # 256 bits; allauth's own 16 characters hold 95


class MFAAdapter(DefaultMFAAdapter):
    """Encrypts one-time-password seeds and recovery codes at rest, like the tokens."""

    def encrypt(self, text: str) -> str:
        return seal(text, bound_to="mfa")

    def decrypt(self, encrypted_text: str) -> str:
        return open_sealed(encrypted_text, bound_to="mfa")
