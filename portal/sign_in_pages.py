"""How the members of a domain prove who they are: the owners' page."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from integrations.ledger import record_act

from .access import Permission, require
from .forms import IdentityProviderForm, SecondStepForm
from .links import get_public_address
from .models import Domain, IdentityProvider
from .reauth import get_typed, recently_authenticated
from .views import get_person


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Whether everybody here needs a second step, and which identity provider signs them in."""
    act = request.POST.get("act", "") if request.method == "POST" else ""
    present = IdentityProvider.objects.filter(domain=domain).first()
    second_step = SecondStepForm(request.POST if act == "second step" else None, instance=domain)
    provider = IdentityProviderForm(
        request.POST if act == "sso" else None,
        instance=present or IdentityProvider(domain=domain),
        initial=get_typed(request),
    )
    chosen = {"second step": second_step, "sso": provider}.get(act)
    if act == "no sso" and present is not None:
        _remove(present, by_label=get_person(request).email)
        messages.success(request, "Single sign-on is removed. Members sign in with their passwords.")
        return redirect("portal:sign_in", domain.name)
    if chosen is not None and chosen.is_valid():
        _save(chosen, domain, by_label=get_person(request).email)
        messages.success(request, "How members sign in is saved.")
        return redirect("portal:sign_in", domain.name)
    context = {
        "here": "settings",
        "form": second_step,
        "provider_form": provider,
        "provider": present,
        "callback": get_public_address(reverse("sso_callback", args=[domain.name])),
    }
    return render(request, "portal/sign_in.html", context)


@transaction.atomic
def _save(form: forms.ModelForm, domain: Domain, *, by_label: str) -> None:
    """What was typed is stored, and what changed is in the ledger; of a secret, only that it changed."""
    form.save()
    if form.changed_data:
        words = [
            name if name == "client_secret" else f"{name}: {form.cleaned_data[name]}"
            for name in form.changed_data
        ]
        record_act("settings changed", domain=domain, actor_label=by_label, detail=", ".join(words))


@transaction.atomic
def _remove(present: IdentityProvider, *, by_label: str) -> None:
    present.delete()
    record_act(
        "settings changed", domain=present.domain, actor_label=by_label, detail="single sign-on removed"
    )
