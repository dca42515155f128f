"""Pages of the OAuth round trip: to Outreach's consent page, and back with a code."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from integrations.connection.lifecycle import Authorisation, AuthorisationRefused, accept_authorisation
from integrations.errors import ConnectionLost, IntegrationError, RateLimited
from integrations.ledger.record import CallCollector
from integrations.models import Connection
from portal.access import Permission, get_actor, get_permissions, get_visible_domains
from portal.models import Domain

from .factory import exchange_code, identify, probe
from .provider import OutreachOAuth2Adapter
from .scopes import REQUESTED, REQUESTED_NARROWLY, compare

STATE_SECONDS = 15 * 60  # longer than a state lives


def start_authorisation(request: HttpRequest, domain: Domain, *, narrower: bool) -> HttpResponseBase:
    """Send the person to Outreach's consent page, with a state that only this session can bring back.

    narrower: ask for the smaller of the two fixed requests. Which one it was is kept with the state.
    """
    if not settings.OUTREACH_CLIENT_ID:
        return _failed(
            request,
            domain,
            what_happened="This portal is not set up for Outreach yet.",
            what_to_do="Ask the operator to set OUTREACH_CLIENT_ID and OUTREACH_CLIENT_SECRET.",
            status=503,
        )
    provider = OutreachOAuth2Adapter(request).get_provider()
    return provider.redirect(
        request,
        process="connect",
        next_url=reverse("integrations:outreach", args=[domain.name]),
        scope=list(_choose_request(narrower)),
        data={"domain": domain.name, "user": request.user.pk, "narrower": narrower},
    )


def _choose_request(narrower: bool) -> tuple[str, ...]:
    """Return one of the two requests there are; no other list of scopes is ever asked for."""
    return REQUESTED_NARROWLY if narrower else REQUESTED


@require_safe
def oauth2_login(request: HttpRequest) -> HttpResponse:
    """Connecting starts on a domain's Outreach page, where the permissions are explained first."""
    return redirect("portal:home")


class OutreachCallbackView(OAuth2CallbackView):
    """Takes a person back from Outreach. allauth keeps the state; what comes of it is ours."""

    adapter: OutreachOAuth2Adapter

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        state = self._take_state(request)
        if state is None:
            return _failed(
                request,
                None,
                what_happened="This answer from Outreach does not match a connection that you started here.",
                what_to_do="Open the Outreach page of your domain and connect from there. It must be the same "
                "browser, within ten minutes, and each attempt works once.",
                status=400,
            )
        domain = get_visible_domains(request.user).filter(name=state["domain"]).first()
        if domain is None or Permission.CONNECT not in get_permissions(request.user, domain):
            return _failed(
                request,
                None,
                what_happened="You no longer have permission to connect this domain.",
                what_to_do="Ask an owner of the domain.",
                status=403,
            )
        request.domain = domain  # type: ignore[attr-defined]  # read by the context processor
        problem = _read_problem(request)
        if problem:
            return _failed(request, domain, what_happened=problem[0], what_to_do=problem[1], status=400)
        requested = _choose_request(state["narrower"])
        return self._connect(request, domain, requested, code_verifier=state["pkce_code_verifier"])

    def _take_state(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return what was stashed for this session and state, once; None for anything else."""
        if len(request.GET.getlist("state")) != 1 or not request.user.is_authenticated:
            return None
        state_id = request.GET["state"]
        try:
            state, refusal = self._get_state(request, self.adapter.get_provider())
        except ImmediateHttpResponse:
            return None
        if refusal is not None or state is None or state.get("process") != "connect":
            return None
        given = state.get("data") or {}
        # Two callbacks at once may both have read the session before either stored it.
        digest = hashlib.sha256(state_id.encode()).hexdigest()
        if given.get("user") != request.user.pk or not cache.add(f"oauth-state:{digest}", 1, STATE_SECONDS):
            return None
        return {
            "domain": given.get("domain"),
            "narrower": given.get("narrower") is True,
            "pkce_code_verifier": state.get("pkce_code_verifier") or "",
        }

    def _connect(
        self, request: HttpRequest, domain: Domain, requested: tuple[str, ...], *, code_verifier: str
    ) -> HttpResponseBase:
        user = get_actor(request)  # a state is only taken from somebody who is logged in
        connection_id = uuid.uuid4()
        calls = CallCollector(
            Connection(id=connection_id, domain=domain), job="connect", actor_label=user.email
        )
        try:
            pair = exchange_code(request.GET["code"], code_verifier=code_verifier, record=calls)
            grant = compare(requested, pair.scope)
            granted = grant.granted if grant.is_known else probe(pair, requested=requested, record=calls)
            account = identify(pair, granted=granted, record=calls)
            connection = accept_authorisation(
                connection_id,
                Authorisation(
                    domain=domain,
                    user=user,
                    pair=pair,
                    scopes_requested=requested,
                    scopes_granted=[*granted, *grant.extra],
                    scopes_known=grant.is_known,
                    account_key=account.key if account else "",
                    account_label=account.label if account else "",
                ),
            )
        except AuthorisationRefused as refusal:
            return _failed(
                request,
                domain,
                what_happened=refusal.what_happened,
                what_to_do=refusal.what_to_do,
                status=409,
            )
        except IntegrationError as error:
            return _failed(request, domain, what_happened=_say(error), what_to_do=_advise(error), status=502)
        finally:
            calls.flush()
        if connection.is_limited:
            messages.warning(
                request, "Connected, with fewer permissions than requested. This page shows what is missing."
            )
        else:
            messages.success(request, "Connected. Read your directory next: Sync now.")
        return _private(redirect("integrations:outreach", domain.name))


oauth2_callback = OutreachCallbackView.adapter_view(OutreachOAuth2Adapter)


def _read_problem(request: HttpRequest) -> tuple[str, str] | None:
    """Return (what happened, what to do) for a callback that carries no usable code, or None."""
    again = "Connect again when you are ready. Nothing was changed."
    error = request.GET.get("error")
    if error == "access_denied":
        return "You, or your Outreach administrator, did not allow the connection.", again
    if error == "invalid_scope":
        return (
            "Outreach does not let this portal’s application ask for these permissions.",
            f"{again} The operator adds them to the application in Outreach, or you choose the other request.",
        )
    if error is not None:
        return (
            "Outreach reported an error.",
            f"{again} If this continues, contact your Outreach administrator.",
        )
    if len(request.GET.getlist("code")) != 1 or not request.GET["code"]:
        return "Outreach’s answer contains no usable code.", again
    issuers = request.GET.getlist("iss")
    if any(issuer.rstrip("/") != settings.OUTREACH_BASE_URL for issuer in issuers):
        return "The answer names another issuer than the Outreach this portal is set up for.", again
    return None


def _say(error: IntegrationError) -> str:
    if isinstance(error, ConnectionLost):
        return (
            "Outreach did not accept the code it gave you; such a code lives about a minute and works once."
        )
    return error.message


def _advise(error: IntegrationError) -> str:
    if isinstance(error, RateLimited):
        return "Outreach issues one access token a minute. Wait a minute, then connect again."
    if error.whose_turn == "operator":
        return "Contact the operator of this portal, then connect again."
    return "Connect again in a minute."


def _failed(
    request: HttpRequest, domain: Domain | None, *, what_happened: str, what_to_do: str, status: int
) -> HttpResponse:
    present = domain and domain.connections.exclude(state="disconnected").exists()
    context = {
        "domain": domain,
        "what_happened": what_happened,
        "what_was_not_lost": "The previous connection is unchanged."
        if present
        else "Nothing was stored, and nothing in Outreach was changed.",
        "what_to_do": what_to_do,
    }
    return _private(render(request, "integrations/connection/connect_failed.html", context, status=status))


def _private(response: HttpResponse) -> HttpResponse:
    """The address of this page held a code: no cache keeps it, no next page is told it."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
