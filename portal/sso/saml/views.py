"""Out to a company's SAML provider and back, in two steps.

The answer comes as a POST from the provider's page, to which browsers give no session cookie. It is
checked there, and kept in a signed cookie for the step after it, which finds the session and asks
whether the request that was answered is its own. So an answer counts once, in the session it began in.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from ...links import get_public_address
from ...models import IdentityProvider, Protocol
from ..login import Refusal, refuse
from .answer import Addresses, Answer, NotBelieved
from .provider import CompanySamlProvider, make_app

COOKIE_SECONDS = 120
CLOCK_SECONDS = 300  # how far the provider's clock may be behind
WITHOUT_EXTRA = Refusal(
    "Your company’s sign-in does not work here at present",
    "It needs the extra `saml`, which this portal was installed without. Ask the people who run it.",
)
NOT_BEGUN_HERE = Refusal(
    "This sign-in was not begun in this browser",
    "Or it was used before, or took longer than ten minutes. Begin again at the portal’s sign-in page.",
)

NOT_ASKED_AGAIN = Refusal(
    "Your company did not ask who you are once more",
    "It only said that you had been there before (`ForceAuthn` was not followed). Ask an owner.",
)


def get_addresses(domain: str) -> Addresses:
    return Addresses(
        metadata=get_public_address(reverse("saml_metadata", args=[domain])),
        acs=get_public_address(reverse("saml_acs", args=[domain])),
    )


def go(request: HttpRequest, row: IdentityProvider) -> HttpResponseBase:
    """Send the browser out, with a request that only this session can bring back an answer to."""
    if not settings.HAS_SAML:
        return refuse(request, WITHOUT_EXTRA)
    from . import wire  # the extra is there

    app = make_app(row)
    # Somebody who is signed in is asked who they are once more, and not waved through.
    asks_again = request.user.is_authenticated
    target, request_id = wire.make_request(app, get_addresses(row.domain.name), asks_again=asks_again)
    provider = CompanySamlProvider(request, app=app)
    wanted = get_next_redirect_url(request) or ""
    provider.stash_redirect_state(
        request, "login", wanted, state_id=request_id, asked_again_at=time.time() if asks_again else 0.0
    )
    return HttpResponseRedirect(target)


@login_not_required
@require_safe
def metadata(request: HttpRequest, domain: str) -> HttpResponse:
    app = _get_app(domain)
    from . import wire  # the extra is there

    return HttpResponse(
        wire.make_metadata(app, get_addresses(domain)), content_type="application/samlmetadata+xml"
    )


@csrf_exempt  # the provider's page posts here; the answer is signed, and nobody is signed in yet
@login_not_required
@require_POST
def take(request: HttpRequest, domain: str) -> HttpResponse:
    """Check an answer as it stands, and keep it for two minutes in the browser that brought it."""
    app = _get_app(domain)
    from . import wire  # the extra is there

    try:
        answer = wire.read_answer(app, get_addresses(domain), request.POST.get("SAMLResponse", ""))
    except NotBelieved as error:
        return _close(refuse(request, Refusal("Your company’s answer was not believed", str(error))))
    response = HttpResponseRedirect(reverse("saml_finish", args=[domain]))
    response.set_signed_cookie(
        _get_cookie(),
        json.dumps(asdict(answer)),
        salt=_get_salt(domain),
        max_age=COOKIE_SECONDS,
        secure=settings.IS_HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return _close(response)


@login_not_required
@require_safe
def finish(request: HttpRequest, domain: str) -> HttpResponseBase:
    """Sign in whom the answer is about, where this session asked for it and had no answer yet."""
    provider = CompanySamlProvider(request, app=_get_app(domain))
    try:
        kept = request.get_signed_cookie(_get_cookie(), salt=_get_salt(domain), max_age=COOKIE_SECONDS)
        answer = Answer(**json.loads(str(kept)))
        state = provider.unstash_redirect_state(request, answer.request_id)
    except (KeyError, BadSignature, PermissionDenied):
        return _forget(refuse(request, NOT_BEGUN_HERE))
    if answer.authenticated_at < state["asked_again_at"] - CLOCK_SECONDS:
        return _forget(refuse(request, NOT_ASKED_AGAIN))
    login: Any = provider.sociallogin_from_response(request, answer)
    login.state = state
    return _forget(complete_social_login(request, login))


def _get_cookie() -> str:
    return "__Host-saml" if settings.IS_HTTPS else "countersign_saml"


def _get_salt(domain: str) -> str:
    return f"saml:{domain}"


def _close(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _forget(response: HttpResponse) -> HttpResponse:
    response.set_cookie(_get_cookie(), "", max_age=0, secure=settings.IS_HTTPS, httponly=True, samesite="Lax")
    return _close(response)


def _get_app(domain: str) -> SocialApp:
    """Raises Http404 where the domain has no SAML provider, or the portal no extra to speak to it."""
    row = IdentityProvider.objects.select_related("domain").filter(domain__name=domain).first()
    if row is None or row.protocol != Protocol.SAML or not settings.HAS_SAML:
        raise Http404("No single sign-on by SAML.")
    return make_app(row)
