"""Pages of permissions: choose what to ask Outreach for, and switch off what it granted."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from integrations.catalogue import features_lost, list_calls, list_narrower_scopes, list_scopes
from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import (
    Switch,
    SwitchRefused,
    asks_narrowly,
    list_switches,
    switch_off,
    switch_on,
)
from integrations.outreach.views import start_authorisation
from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import get_typed, recently_authenticated

from ..forms import RequestForm, SwitchOffForm, SwitchOnForm
from ..models import Connection, ConnectionState, DisconnectStep


def leave_for_outreach(request: HttpRequest, domain: Domain) -> HttpResponseBase:
    """Send the person to Outreach with the request they chose, one of two; back to its page for any other."""
    form = RequestForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was requested: choose the usual request or the narrower one.")
        return redirect("integrations:outreach", domain.name)
    return start_authorisation(request, domain, narrower=form.is_narrower)


def prefers_narrower(request: HttpRequest, connection: Connection | None) -> bool:
    """Return which request to offer first: the one just chosen, else the one that was asked for last."""
    chosen = get_typed(request).get("ask_for")
    return chosen == RequestForm.NARROWER if chosen else asks_narrowly(connection)


@require(Permission.CONNECT)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def request_page(request: HttpRequest, domain: Domain) -> HttpResponseBase:
    """The permissions once more, with the choice to ask for less; choosing leads to Outreach."""
    connection = get_connection(domain)
    if connection is not None and connection.state == ConnectionState.DISCONNECTING:
        return redirect("integrations:outreach", domain.name)
    if request.method == "POST":
        return leave_for_outreach(request, domain)
    context = {
        "connection": connection,
        "scopes": list_scopes(),
        "narrower": list_narrower_scopes(),
        "asks_narrowly": prefers_narrower(request, connection),
        "call_count": len(list_calls()),
        "is_set_up": bool(settings.OUTREACH_CLIENT_ID and settings.OUTREACH_CLIENT_SECRET),
    }
    return render(request, "integrations/permissions/request.html", context)


@require(Permission.CONNECT)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest, domain: Domain, scope: str) -> HttpResponse:
    """One granted permission is switched off here with a reason, or on again with its name typed and a reason."""
    connection, present = _get_switch(domain, scope)
    posted = request.POST if request.method == "POST" else None
    typed = get_typed(request)
    form = (
        SwitchOffForm(posted, initial=typed)
        if present.off is None
        else SwitchOnForm(posted, initial=typed, scope=scope)
    )
    if form.is_valid():
        reason = form.cleaned_data["reason"]
        actor = get_actor(request).email
        try:
            if present.off is None:
                switch_off(connection, scope, actor=actor, reason=reason)
                messages.success(
                    request, f"{scope} is switched off here. Running work stops at its next call."
                )
            else:
                switch_on(connection, scope, actor=actor, reason=reason)
                messages.success(request, f"{scope} is switched on again.")
        except SwitchRefused as refusal:
            messages.warning(request, str(refusal))
        return redirect("integrations:outreach", domain.name)
    context: dict[str, Any] = {
        "connection": connection,
        "switch": present,
        "lost": features_lost([scope]),
        "form": form,
    }
    return render(request, "integrations/permissions/switch.html", context)


def _get_switch(domain: Domain, scope: str) -> tuple[Connection, Switch]:
    """Return the open connection and one granted permission of it. Raises Http404 where there is none such."""
    connection = get_connection(domain)
    if connection is not None and connection.disconnect_step != DisconnectStep.REVOKING:
        for present in list_switches(connection):
            if present.scope == scope:
                return connection, present
    raise Http404("No such permission.")
