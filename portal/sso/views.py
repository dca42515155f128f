"""OpenID Connect views: redirect to a company's provider and take its answer; only `next` is read from the URL."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import get_random_string
from django.views.decorators.http import require_http_methods, require_safe

from portal.public_url import get_public_address

from ..models import IdentityProvider, Protocol
from . import completion, exchange
from .forms import SsoStartForm
from .refusals import ASK, Refusal, close, refuse
from .saml import views as saml
from .slots import calling
from .transport import ProviderUnreachable

SCOPE = "openid email profile"
# OpenID Connect Core 1.0, sections 3.1.2.6, and RFC 6749, 4.1.2.1: what a provider may answer instead of a code.
ERRORS = {
    "access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_request",
    "invalid_scope", "login_required", "server_error", "temporarily_unavailable", "unauthorized_client",
    "unsupported_response_type",
}  # fmt: skip
DENIED = {"access_denied", "consent_required", "interaction_required", "login_required"}
ENTRA_CODE = re.compile(r"\bAADSTS\d{5,7}\b")
NOT_ASSIGNED = "AADSTS50105"  # Entra ID: the person is not assigned to the application


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Find the domain's identity provider by address, and show a button to it that names its host."""
    form = SsoStartForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        name = form.cleaned_data["email"].rpartition("@")[2].lower()
        found = IdentityProvider.objects.select_related("domain").filter(domain__name=name).first()
        if found is not None:
            return _offer(request, found)
        form.add_error("email", "No single sign-on is set up for this address. Sign in with your password.")
    return render(request, "portal/sso_start.html", {"form": form})


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def go(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Redirect to the domain's identity provider, after the person pressed the button."""
    row = _get_row(domain)
    if row.protocol == Protocol.SAML and not saml.is_installed():
        return refuse(request, saml.WITHOUT_EXTRA(), domain=row.domain.name)
    if request.method != "POST":
        return _offer(request, row)
    if row.protocol == Protocol.SAML:
        return saml.go(request, row)
    try:
        return _send_out(request, row)
    except Refusal as refusal:
        return refuse(request, refusal, domain=row.domain.name)
    except ProviderUnreachable as error:
        return refuse(request, _say_unreachable(error), domain=row.domain.name)


@login_not_required
@require_safe
def callback(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Take the provider's answer, once, in the session that asked for it; without a referrer to the next page."""
    row = _get_row(domain)
    if row.protocol != Protocol.OIDC:
        raise Http404("This domain uses SAML.")
    try:
        with calling(row.domain.name):  # first, so that whoever finds no slot may load the page again
            state = completion.take_state(request, row, request.GET.get("state", ""))
            _check_error(request)
            identity = exchange.get_identity(
                row,
                code=_get_code(request),
                code_verifier=state["code_verifier"],
                redirect_uri=_get_callback(row),
                issuer=request.GET.get("iss"),
            )
        response = completion.complete(request, row, identity, state)
    except Refusal as refusal:
        return refuse(request, refusal, domain=row.domain.name)
    except ProviderUnreachable as error:
        return refuse(request, _say_unreachable(error), domain=row.domain.name)
    return close(response)  # type: ignore[arg-type]  # a page or a redirect, never a stream


@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Ask whether to switch accounts, where somebody else is signed in here."""
    row = _get_row(domain)
    found = completion.find_waiting(request, row)
    if found is None:
        completion.stay(request)
        return redirect("/")
    if request.method != "POST":
        context = {"host": row.host, "came_back": found.email, "present": request.user}
        return close(render(request, "portal/sso_switch.html", context))
    if request.POST.get("act") != "switch":
        completion.stay(request)
        return redirect("/")
    try:
        return completion.switch(request, row, found)
    except Refusal as refusal:
        return refuse(request, refusal, domain=row.domain.name)


def _get_row(domain: str) -> IdentityProvider:
    """Raises Http404 where the domain has no provider."""
    row = IdentityProvider.objects.select_related("domain").filter(domain__name=domain).first()
    if row is None:
        raise Http404("No single sign-on is set up.")
    return row


def _offer(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """Return the page with the button, so that no external link can start a sign-in."""
    context: dict[str, Any] = {
        "host": row.host,
        "target": reverse("sso_login", args=[row.domain.name]),
        "next": get_next_redirect_url(request) or "",
    }
    response = render(request, "portal/sso_start.html", context)
    # Browsers hold every redirect of a form to this list, and a company's sign-in may pass through several
    # hosts that nobody here knows. The page has this one form.
    parts = urlsplit(row.issuer or row.saml_sso_url)
    allowed = ["https:", f"http://{parts.netloc}"] if parts.scheme == "http" else ["https:"]
    response._csp_update = {"form-action": allowed}  # type: ignore[attr-defined]  # django-csp reads it
    return response


def _send_out(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """Raises Refusal, ProviderUnreachable."""
    challenge = generate_code_challenge()
    state_id = get_random_string(43)  # 256 bits
    asked = {
        "client_id": row.client_id,
        "redirect_uri": _get_callback(row),
        "response_type": "code",
        "scope": SCOPE,
        "state": state_id,
        "code_challenge": challenge["code_challenge"],
        "code_challenge_method": challenge["code_challenge_method"],
    }
    if request.user.is_authenticated:  # two words for the same; providers follow either
        asked |= {"prompt": "login", "max_age": "0"}
    with calling(row.domain.name):
        target = exchange.get_authorization_address(row, asked)
    completion.begin(request, row, state_id=state_id, code_verifier=challenge["code_verifier"])
    return close(HttpResponseRedirect(target))


def _get_callback(row: IdentityProvider) -> str:
    """Return the configured address, whatever the request's headers say."""
    return get_public_address(reverse("sso_callback", args=[row.domain.name]))


def _check_error(request: HttpRequest) -> None:
    """Raise Refusal where the provider answered with an error; only known error codes are repeated."""
    if "error" not in request.GET:
        return
    error = request.GET["error"] if request.GET["error"] in ERRORS else "an error of its own"
    found = ENTRA_CODE.search(request.GET.get("error_description", ""))
    code = found.group() if found else ""
    named = f"{error} {code}".strip()
    if code == NOT_ASSIGNED:
        raise Refusal(
            "Your company has not given you access to this portal",
            f"You are not assigned to this application there ({code}). Ask your company’s administrator.",
            cause=f"provider answered {named}",
        )
    if error in DENIED:
        raise Refusal(
            "Your company’s sign-in denied access",
            f"You cancelled, or you may not use this portal ({named}). Ask your company’s administrator.",
            cause=f"provider answered {named}",
        )
    raise Refusal(
        "Your company’s sign-in had an error",
        f"It answered {named}. Try again in a few minutes, or ask an owner of the domain.",
        cause=f"provider answered {named}",
    )


def _get_code(request: HttpRequest) -> str:
    code = request.GET.get("code", "")
    if not exchange.is_storable(code, 8_000):
        raise Refusal(
            "Your company’s sign-in sent an invalid answer",
            f"It sent you back without a code. {ASK}",
            cause="no code in the answer",
        )
    return code


def _say_unreachable(error: ProviderUnreachable) -> Refusal:
    return Refusal(
        "Your company’s sign-in does not answer",
        f"{error} Try again later, or ask an owner of the domain.",
        cause=f"provider not usable: {error.cause}",
    )
