"""A company's SAML provider as an allauth provider, made up from the domain's own row and never stored."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.http import HttpRequest
from django.urls import reverse

from ...models import IdentityProvider
from .answer import Answer
from .certificates import read_certificates


def make_app(row: IdentityProvider) -> SocialApp:
    return SocialApp(
        provider=CompanySamlProvider.id,
        provider_id=row.domain.name,
        name=row.domain.name,
        client_id=row.domain.name,
        settings={
            "entity_id": row.saml_entity_id,
            "sso_url": row.saml_sso_url,
            "certificates": [found.pem for found in read_certificates(row.saml_certificates)],
            "email_attribute": row.saml_email_attribute,
        },
    )


class CompanySamlProvider(SAMLProvider):
    """Signs members of one domain in; see `sso.login` for whom. allauth's own SAML addresses are not mounted."""

    id = "sso-saml"
    name = "Single sign-on by SAML"

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("sso_login", args=[self.app.provider_id])

    def redirect(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("The way out is `saml.views.go`, by the configured address.")

    def extract_uid(self, data: Answer) -> str:
        return data.uid

    def extract_common_fields(self, data: Answer) -> dict[str, Any]:
        """The address, vouched for: the company signed it for its own mail domain, and `sso.login` takes no other."""
        return {"email": data.email, "email_verified": True}

    def extract_extra_data(self, data: Answer) -> dict[str, Any]:
        """Nothing the provider says about a person is kept beside their address."""
        return {}


provider_classes = [CompanySamlProvider]
