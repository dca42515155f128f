"""Out to a company's identity provider and back. Everything one may pass in the address is ignored but `next`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import requests
from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from ..forms import SsoStartForm
from ..models import IdentityProvider, Protocol
from .login import Refusal, refuse
from .provider import CompanyOAuth2Adapter, CompanyProvider
from .saml import views as saml


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """The address says which domain's identity provider it is; a link leads there, named by its host."""
    form = SsoStartForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        name = form.cleaned_data["email"].rpartition("@")[2].lower()
        found = IdentityProvider.objects.filter(domain__name=name).first()
        if found is None:
            form.add_error(
                "email", "No single sign-on is set up for this address. Sign in with your password."
            )
        else:
            wanted = get_next_redirect_url(request) or ""
            query = f"?{urlencode({'next': wanted})}" if wanted else ""
            context |= {
                "host": found.host,
                "target": reverse("sso_login", args=[name]) + query,
            }
    return render(request, "portal/sso_start.html", context)


@login_not_required
@require_safe
def go(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Send the browser to the domain's identity provider, with a state that only this session can bring back."""
    row = IdentityProvider.objects.select_related("domain").filter(domain__name=domain).first()
    if row is not None and row.protocol == Protocol.SAML:
        return saml.go(request, row)
    adapter = _get_adapter(request, domain)
    # Somebody who is signed in is asked who they are once more, and not waved through.
    params = {"prompt": "login"} if request.user.is_authenticated else {}
    try:
        return adapter.get_provider().redirect(
            request, process="login", next_url=get_next_redirect_url(request) or "", auth_params=params
        )
    except requests.RequestException as error:
        return refuse(
            request,
            Refusal("Your company’s sign-in does not answer", f"{error} Try again later, or ask an owner."),
        )


class _Callback(OAuth2CallbackView):
    adapter: CompanyOAuth2Adapter


@login_not_required
@require_safe
def callback(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Take a person back; allauth checks the state, once. Nothing of the address is told to a next page."""
    response = _Callback.adapter_view(_get_adapter(request, domain))(request)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _get_adapter(request: HttpRequest, domain: str) -> CompanyOAuth2Adapter:
    """Raises Http404 where the domain has no OpenID Connect provider."""
    try:
        app = get_adapter().get_app(request, provider=domain)
    except SocialApp.DoesNotExist as error:
        raise Http404("No single sign-on.") from error
    if app.provider != CompanyProvider.id:
        raise Http404("Single sign-on is by SAML here.")
    return CompanyOAuth2Adapter(request, domain)
