"""Sign-in views: MFA and single sign-on of a domain, for its owners."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.models import SocialAccount
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.forms.domains import SecondStepForm
from portal.models import Domain, IdentityProvider, Protocol
from portal.public_url import get_public_address
from portal.reauth import get_typed, recently_authenticated
from portal.sso.forms import IdentityProviderForm, SamlProviderForm
from portal.sso.saml.certificates import read_certificates
from portal.sso.saml.views import get_addresses

PAGES = {Protocol.OIDC: "portal:sign_in_oidc", Protocol.SAML: "portal:sign_in_saml"}


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show how members sign in, whether MFA is required, and a link to each SSO protocol."""
    form = SecondStepForm(
        request.POST if request.method == "POST" else None, instance=domain, initial=get_typed(request)
    )
    if form.is_valid():
        _save(form, domain, actor=get_actor(request).email)
        messages.success(request, "MFA setting saved.")
        return redirect("portal:sign_in", domain.name)
    present = _get_provider(domain)
    protocols = [
        {
            "label": protocol.label,
            "page": PAGES[protocol],
            "is_set_up": present is not None and present.protocol == protocol,
            "obstacle": _get_protocol_block_reason(present, protocol),
        }
        for protocol in Protocol
    ]
    context = {"form": form, "provider": present, "protocols": protocols}
    return render(request, "portal/sign_in.html", context)


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def oidc(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show and change the domain's OpenID Connect provider."""
    callback = get_public_address(reverse("sso_callback", args=[domain.name]))
    return _show_provider(request, domain, IdentityProviderForm, Protocol.OIDC, {"callback": callback})


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def saml(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show and change the domain's SAML provider."""
    present = _get_provider(domain)
    certificates = (
        read_certificates(present.saml_certificates) if present and present.saml_certificates else []
    )
    context = {"saml": get_addresses(domain.name), "certificates": certificates, "now": timezone.now()}
    return _show_provider(request, domain, SamlProviderForm, Protocol.SAML, context)


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated(returns_to="portal:sign_in")
@require_POST
def remove(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Remove single sign-on."""
    present = _get_provider(domain)
    if present is not None:
        _remove(present, actor=get_actor(request).email)
        messages.success(request, "Single sign-on removed. Members sign in with their passwords.")
    return redirect("portal:sign_in", domain.name)


def _show_provider(
    request: HttpRequest,
    domain: Domain,
    form_class: type[forms.ModelForm],
    protocol: Protocol,
    context: dict[str, Any],
) -> HttpResponse:
    """Show the form of one protocol, or save it."""
    present = _get_provider(domain)
    obstacle = _get_protocol_block_reason(present, protocol)
    if obstacle and request.method == "POST":
        messages.error(request, f"Not saved. {obstacle}")
        return redirect(PAGES[protocol], domain.name)
    form = form_class(
        request.POST if request.method == "POST" else None,
        instance=present or IdentityProvider(domain=domain),
        initial=get_typed(request),
    )
    if form.is_valid():
        _save(form, domain, actor=get_actor(request).email)
        messages.success(request, "Single sign-on saved.")
        return redirect(PAGES[protocol], domain.name)
    context |= {
        "form": form,
        "obstacle": obstacle,
        "protocol": protocol,
        "is_set_up": present is not None and present.protocol == protocol,
    }
    return render(request, f"{PAGES[protocol].replace(':', '/')}.html", context)


def _get_provider(domain: Domain) -> IdentityProvider | None:
    return IdentityProvider.objects.filter(domain=domain).first()


def _get_protocol_block_reason(present: IdentityProvider | None, protocol: Protocol) -> str:
    """Return why this protocol cannot be set up or changed now, or '' where it can."""
    if present is not None and present.protocol != protocol:
        return f"A domain has one provider. Remove {Protocol(present.protocol).label} first."
    if protocol == Protocol.SAML and not settings.HAS_SAML:
        return "SAML needs the extra “saml”, which is not installed."
    return ""


@transaction.atomic
def _save(form: forms.ModelForm, domain: Domain, *, actor: str) -> None:
    """Store the provider and record what changed in the ledger; of a secret, only that it changed."""
    form.save()
    if form.changed_data:
        words = [_describe(name, form.cleaned_data[name]) for name in form.changed_data]
        record_act("settings changed", domain=domain, actor_label=actor, detail=", ".join(words))


def _describe(name: str, value: Any) -> str:
    if name == "client_secret":
        return name
    if name == "saml_certificates":  # by what tells one from another
        return f"{name}: SHA-256 {', '.join(found.sha256 for found in read_certificates(value))}"
    return f"{name}: {value}"


@transaction.atomic
def _remove(present: IdentityProvider, *, actor: str) -> None:
    """Remove the provider and its identities: another provider may use the same IDs for other people."""
    SocialAccount.objects.filter(provider=present.domain.name).delete()
    present.delete()
    record_act("settings changed", domain=present.domain, actor_label=actor, detail="single sign-on removed")
