"""Provider for allauth: what is asked for is fixed here and in configuration, never by a query."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.providers.base import ProviderAccount
from allauth.socialaccount.providers.oauth2.client import OAuth2Client
from allauth.socialaccount.providers.oauth2.provider import OAuth2Provider
from allauth.socialaccount.providers.oauth2.views import OAuth2Adapter
from django.conf import settings
from django.http import HttpRequest

from .allowed_calls import AUTHORIZE_PATH, TOKEN_PATH
from .factory import get_redirect_uri
from .scopes import REQUESTED


class OutreachOAuth2Client(OAuth2Client):
    """Builds the address of the consent page. Codes are exchanged by our own client, as every call is."""

    def get_access_token(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise AssertionError("Codes are exchanged in integrations.outreach.oauth.")


class OutreachOAuth2Adapter(OAuth2Adapter):
    provider_id = "outreach"
    client_class = OutreachOAuth2Client

    @property
    def authorize_url(self) -> str:
        return settings.OUTREACH_BASE_URL + AUTHORIZE_PATH

    @property
    def access_token_url(self) -> str:
        return settings.OUTREACH_BASE_URL + TOKEN_PATH

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return get_redirect_uri()


class OutreachProvider(OAuth2Provider):
    """Connects a domain; nobody logs in or signs up with it."""

    id = "outreach"
    name = "Outreach"
    account_class = ProviderAccount
    oauth2_adapter_class = OutreachOAuth2Adapter
    pkce_enabled_default = True

    def get_default_scope(self) -> list[str]:
        return list(REQUESTED)

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return list(REQUESTED)

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return {}

    def extract_uid(self, data: dict[str, Any]) -> str:
        return str(data["account_key"])

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        return []


provider_classes = [OutreachProvider]
