"""Recipient views: sources of recipient data, and API keys."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.connection.lifecycle import get_connection
from integrations.connection.lookup_breaker import get_state
from integrations.connection.permissions import get_lookup_block_reason
from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.audiences.attributes import ATTRIBUTE_BY_NAME, ATTRIBUTES
from signatures.decisions.api_keys import make_key, revoke_key
from signatures.forms.recipients import KeyForm
from signatures.models import DecisionKey, RecipientPrivacy
from signatures.recipients.facts import get_fields_asked


@require(Permission.VIEW)
@require_safe
def recipients(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_recipients(request, domain, KeyForm())


def _show_recipients(
    request: HttpRequest, domain: Domain, form: KeyForm, *, made: str = "", status: int = 200
) -> HttpResponse:
    connection = get_connection(domain)
    state = get_state(connection) if connection else None
    asked = get_fields_asked(domain)
    context = {
        "privacy": RecipientPrivacy.objects.for_domain(domain),
        "keys": DecisionKey.objects.filter(domain=domain),
        "form": form,
        "made": made,
        "why_no_look_ups": get_lookup_block_reason(connection),
        "rests_until": state.rests_until
        if state and state.rests_until and state.rests_until > timezone.now()
        else None,
        "failures": state.failures if state else 0,
        "asked": [ATTRIBUTE_BY_NAME[one.name].label for one in ATTRIBUTES if one.name in asked],
    }
    response = render(request, "signatures/recipients/overview.html", context, status=status)
    if made:
        response["Cache-Control"] = "no-store"
    return response


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:recipients")
@require_POST
def key_make(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show a new key once: directly and without a redirect, as it is not stored."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show_recipients(request, domain, form, status=422)
    new = make_key(domain, form.cleaned_data["name"], actor=get_actor(request).email)
    return _show_recipients(request, domain, KeyForm(), made=new.text)


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:recipients")
@require_POST
def key_revoke(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    key = get_object_or_404(DecisionKey.objects.select_related("domain").filter(domain=domain), pk=pk)
    if revoke_key(key, actor=get_actor(request).email):
        messages.success(request, f"Key {key} revoked. Requests with it get no banner.")
    else:
        messages.info(request, f"Key {key} was already revoked.")
    return redirect("signatures:recipients", domain.name)
