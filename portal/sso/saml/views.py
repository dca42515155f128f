"""SAML views: redirect to a company's provider and take its answer, in two steps.

The answer comes as a POST from the provider's page, to which browsers give no session cookie. It is
checked there, and kept in a signed cookie for the step after it, which finds the session and asks
whether the request that was answered is its own. So an answer counts once, in the session it began in.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from portal.public_url import get_public_address

from ...models import IdentityProvider, Protocol
from .. import completion
from ..identity import Identity, digest_setup
from ..refusals import Refusal, close, refuse
from .result import Addresses, NotBelieved

COOKIE_SECONDS = 120
LARGEST_BYTES = 300_000  # of what is posted, before a byte of it is read
WITHOUT_EXTRA = partial(
    Refusal,
    "Your company’s sign-in is not available here",
    "It needs the extra `saml`, which is not installed. Ask the operator of this portal.",
    cause="the extra `saml` is not installed",
)
NOT_BELIEVED = "Your company’s answer could not be verified"


def is_installed() -> bool:
    return settings.HAS_SAML


def get_addresses(domain: str) -> Addresses:
    return Addresses(
        metadata=get_public_address(reverse("saml_metadata", args=[domain])),
        acs=get_public_address(reverse("saml_acs", args=[domain])),
    )


def go(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """Redirect to the provider, with a request whose answer only this session can use."""
    from . import protocol  # the extra is there

    target, request_id = protocol.make_request(
        row, get_addresses(row.domain.name), asks_again=request.user.is_authenticated
    )
    completion.begin(request, row, state_id=request_id)
    return close(HttpResponseRedirect(target))


@login_not_required
@require_safe
def metadata(request: HttpRequest, domain: str) -> HttpResponse:
    row = _get_row(domain)
    from . import protocol  # the extra is there

    return HttpResponse(
        protocol.make_metadata(row, get_addresses(domain)), content_type="application/samlmetadata+xml"
    )


@csrf_exempt  # the provider's page posts here; the answer is signed, and nobody is signed in yet
@login_not_required
@require_POST
def take(request: HttpRequest, domain: str) -> HttpResponse:
    """Verify an answer by itself, and keep it for two minutes in a cookie."""
    row = _get_row(domain)
    from . import protocol  # the extra is there

    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal() or int(length[:10]) >= LARGEST_BYTES:
        refusal = Refusal(NOT_BELIEVED, "It is too large, or its size is not given.", cause="too large")
        return refuse(request, refusal, domain=domain, status=413)
    try:
        answer = protocol.read_answer(row, get_addresses(domain), request.POST.get("SAMLResponse", ""))
    except NotBelieved as error:
        return refuse(request, Refusal(NOT_BELIEVED, str(error), cause=error.cause), domain=domain)
    kept = {
        "identity": asdict(answer.identity),
        "request_id": answer.request_id,
        "entity_id": row.saml_entity_id,
        "setup": digest_setup(row),
    }
    response = HttpResponseRedirect(reverse("saml_finish", args=[domain]))
    response.set_signed_cookie(
        _get_cookie(),
        json.dumps(kept),
        salt=_get_salt(domain),
        max_age=COOKIE_SECONDS,
        secure=settings.IS_HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return close(response)


@login_not_required
@require_safe
def finish(request: HttpRequest, domain: str) -> HttpResponse:
    """Sign the person in, if this session asked for the answer and has not used one yet."""
    row = _get_row(domain)
    try:
        return _forget(_finish(request, row))
    except Refusal as refusal:
        return _forget(refuse(request, refusal, domain=domain))


def _finish(request: HttpRequest, row: IdentityProvider) -> HttpResponseBase:
    """Raises Refusal."""
    try:
        kept = json.loads(
            str(
                request.get_signed_cookie(
                    _get_cookie(), salt=_get_salt(row.domain.name), max_age=COOKIE_SECONDS
                )
            )
        )
        identity, request_id = Identity(**kept["identity"]), str(kept["request_id"])
        is_same = (kept["entity_id"], kept["setup"]) == (row.saml_entity_id, digest_setup(row))
    except (KeyError, BadSignature, TypeError, ValueError) as error:  # none, forged, or of an earlier version
        raise completion.NOT_BEGUN_HERE() from error
    if not is_same:
        raise completion.REPLACED()
    state = completion.take_state(request, row, request_id)
    return completion.complete(request, row, identity, state)


def _get_cookie() -> str:
    return "__Host-saml" if settings.IS_HTTPS else "countersign_saml"


def _get_salt(domain: str) -> str:
    return f"saml:{domain}"


def _forget(response: HttpResponseBase) -> HttpResponse:
    response.set_cookie(_get_cookie(), "", max_age=0, secure=settings.IS_HTTPS, httponly=True, samesite="Lax")
    return close(response)  # type: ignore[arg-type]  # a page or a redirect, never a stream


def _get_row(domain: str) -> IdentityProvider:
    """Raises Http404 where the domain has no SAML provider, or the extra is not installed."""
    row = IdentityProvider.objects.select_related("domain").filter(domain__name=domain).first()
    if row is None or row.protocol != Protocol.SAML or not settings.HAS_SAML:
        raise Http404("No single sign-on by SAML.")
    return row
