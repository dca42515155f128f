"""Provider: presents a domain's identity provider to allauth, built from the domain's row and never stored."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import Provider, ProviderAccount
from django.http import HttpRequest
from django.urls import reverse

from ..models import IdentityProvider
from .identity import Identity


def get_app(domain_name: str) -> SocialApp | None:
    """Return the domain's provider as an allauth app, without its secret; None where it has none."""
    found = IdentityProvider.objects.select_related("domain").filter(domain__name=domain_name).first()
    return None if found is None else make_app(found)


def make_app(row: IdentityProvider) -> SocialApp:
    name = row.domain.name
    return SocialApp(provider=CompanyProvider.id, provider_id=name, name=name, client_id=name)


class CompanyProvider(Provider):
    """Signs members of one domain in, by either protocol; `login` decides whom. Makes no calls."""

    id = "sso"
    name = "Single sign-on"
    account_class = ProviderAccount

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        return reverse("sso_login", args=[self.app.provider_id])

    def redirect(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Redirects are made by `sso.views.go`.")

    def extract_uid(self, data: Identity) -> str:
        return data.uid

    def extract_common_fields(self, data: Identity) -> dict[str, Any]:
        return {"email": data.email, "email_verified": data.is_verified}

    def extract_extra_data(self, data: Identity) -> dict[str, Any]:
        """Return nothing: only the person's address is stored."""
        return {}


provider_classes = [CompanyProvider]
