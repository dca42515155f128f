"""What allauth asks us: nobody signs up by themselves, seeds are sealed, and states are long."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest
from django.utils.crypto import get_random_string

from integrations.sealing import open_sealed, seal


class AccountAdapter(DefaultAccountAdapter):
    """Members are added by an owner or admin of a domain; the sign-up page is closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Connecting Outreach never makes, finds or logs in a portal user."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def list_providers(self, request: HttpRequest) -> list[Any]:
        """Outreach is connected on a domain's page; it is no way to log in."""
        return [provider for provider in super().list_providers(request) if provider.id != "outreach"]

    def generate_state_param(self, state: dict[str, Any]) -> str:
        return get_random_string(43)  # 256 bits; allauth's own 16 characters hold 95


class MFAAdapter(DefaultMFAAdapter):
    """One-time-password seeds and recovery codes are sealed at rest, as the tokens are."""

    def encrypt(self, text: str) -> str:
        return seal(text, bound_to="mfa")

    def decrypt(self, encrypted_text: str) -> str:
        return open_sealed(encrypted_text, bound_to="mfa")
