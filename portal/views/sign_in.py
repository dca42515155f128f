"""Page of sign-in: how the members of a domain prove who they are, for its owners."""

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
from django.views.decorators.http import require_http_methods

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.forms.domains import SecondStepForm
from portal.models import Domain, IdentityProvider, Protocol
from portal.public_url import get_public_address
from portal.reauth import get_typed, recently_authenticated
from portal.sso.forms import IdentityProviderForm, SamlProviderForm
from portal.sso.saml.certificates import read_certificates
from portal.sso.saml.views import get_addresses

WAYS = {"sso": Protocol.OIDC.value, "saml": Protocol.SAML.value}  # which form was sent


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Whether everybody here needs a second step, and which identity provider signs them in."""
    act = request.POST.get("act", "") if request.method == "POST" else ""
    present = IdentityProvider.objects.filter(domain=domain).first()
    second_step = SecondStepForm(request.POST if act == "second step" else None, instance=domain)
    oidc = IdentityProviderForm(
        request.POST if act == "sso" else None,
        instance=present or IdentityProvider(domain=domain),
        initial=get_typed(request),
    )
    saml = SamlProviderForm(
        request.POST if act == "saml" else None,
        instance=present or IdentityProvider(domain=domain),
        initial=oidc.initial if present is None else None,
        auto_id="id_of_saml_%s",  # both forms stand on one page, and share fields
    )
    offered = _get_offered(present)
    chosen = {"second step": second_step, Protocol.OIDC: oidc, Protocol.SAML: saml}.get(WAYS.get(act, act))
    if act == "no sso" and present is not None:
        _remove(present, actor=get_actor(request).email)
        messages.success(request, "Single sign-on is removed. Members sign in with their passwords.")
        return redirect("portal:sign_in", domain.name)
    if act in WAYS and WAYS[act] not in offered:
        messages.error(
            request,
            "A domain has one provider. Remove the present one first."
            if present is not None and present.protocol != WAYS[act]
            else "SAML needs the extra `saml`, which this portal was installed without.",
        )
        return redirect("portal:sign_in", domain.name)
    if chosen is not None and chosen.is_valid():
        _save(chosen, domain, actor=get_actor(request).email)
        messages.success(request, "Sign-in settings saved.")
        return redirect("portal:sign_in", domain.name)
    context = {
        "form": second_step,
        "provider_form": oidc,
        "saml_form": saml,
        "provider": present,
        "offers_oidc": Protocol.OIDC in offered,
        "offers_saml": Protocol.SAML in offered,
        "is_saml": present is not None and present.protocol == Protocol.SAML,
        "has_saml": settings.HAS_SAML,
        "certificates": read_certificates(present.saml_certificates)
        if present is not None and present.saml_certificates
        else [],
        "now": timezone.now(),
        "callback": get_public_address(reverse("sso_callback", args=[domain.name])),
        "saml": get_addresses(domain.name),
    }
    return render(request, "portal/sign_in.html", context)


def _get_offered(present: IdentityProvider | None) -> set[str]:
    """Return the ways that may be set up or changed now: a domain has one provider, and SAML needs its extra."""
    ways = {Protocol(present.protocol)} if present is not None else set(Protocol)
    return {way.value for way in ways if way != Protocol.SAML or settings.HAS_SAML}


@transaction.atomic
def _save(form: forms.ModelForm, domain: Domain, *, actor: str) -> None:
    """What was typed is stored, and what changed is in the ledger; of a secret, only that it changed."""
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
    """The provider is gone, and whom it named: another one may call other people by the same names."""
    SocialAccount.objects.filter(provider=present.domain.name).delete()
    present.delete()
    record_act("settings changed", domain=present.domain, actor_label=actor, detail="single sign-on removed")
