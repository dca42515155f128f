"""A company's OpenID Connect provider as an allauth provider, one for each domain that set one up."""

from __future__ import annotations

from typing import Any

import jwt
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest
from django.urls import reverse

from integrations.sealing import open_sealed

from ..links import get_public_address
from ..models import IdentityProvider, Protocol
from .saml.provider import make_app
from .transport import ProviderUnreachable, read_configuration, read_keys

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "ES256",
    "ES384",
    "EdDSA",
]  # signed with a key we do not hold
LEEWAY_SECONDS = 60


def _find_key(id_token: str, keys: list[dict[str, Any]]) -> jwt.PyJWK:
    """Return the key that the token names, or the only one there is. Raises jwt.PyJWTError."""
    name = jwt.get_unverified_header(id_token).get("kid")
    found = [
        key for key in keys if key.get("use", "sig") == "sig" and (name is None or key.get("kid") == name)
    ]
    if len(found) != 1:
        raise jwt.InvalidKeyError("No single key signs this token.")
    return jwt.PyJWK(found[0])


def get_app(domain_name: str) -> SocialApp | None:
    """Return allauth's idea of the domain's provider, made up from our row and never stored; None where it has none."""
    found = IdentityProvider.objects.select_related("domain").filter(domain__name=domain_name).first()
    if found is None:
        return None
    if found.protocol == Protocol.SAML:
        return make_app(found)
    return SocialApp(
        provider=CompanyProvider.id,
        provider_id=found.domain.name,
        name=found.domain.name,
        client_id=found.client_id,
        secret=open_sealed(found.client_secret_sealed, bound_to=found.bound_to),
        settings={"server_url": found.issuer, "fetch_userinfo": False},
    )


class CompanyOAuth2Adapter(OpenIDConnectOAuth2Adapter):
    """What the identity provider says is believed only with its signature, and only from the issuer that was set up."""

    @property
    def openid_config(self) -> dict[str, Any]:
        if not hasattr(self, "_openid_config"):
            self._openid_config = read_configuration(self.get_provider().app.settings["server_url"])
        return self._openid_config

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        """Return the claims. Raises OAuth2Error where signature, issuer, audience or time do not hold."""
        try:
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=_find_key(id_token, read_keys(self.openid_config["jwks_uri"])),
                algorithms=ALGORITHMS,
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ProviderUnreachable) as error:
            raise OAuth2Error("The identity provider's answer is not signed as it should be.") from error
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("The identity provider's answer was made for another application.")
        return claims

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The configured address, whatever the request's headers say."""
        return get_public_address(reverse("sso_callback", args=[self.provider_id]))


class CompanyProvider(OpenIDConnectProvider):
    """Signs members of one domain in; see `login` for whom."""

    id = "sso"
    name = "Single sign-on"
    oauth2_adapter_class = CompanyOAuth2Adapter
    pkce_enabled_default = True

    def get_default_scope(self) -> list[str]:
        return ["openid", "email", "profile"]

    def get_scope_from_request(self, request: HttpRequest) -> list[str]:
        return self.get_default_scope()

    def get_auth_params_from_request(self, request: HttpRequest, action: str) -> dict[str, str]:
        return {}

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing the provider says about a person is kept beside their name and address."""
        return {}


provider_classes = [CompanyProvider]
