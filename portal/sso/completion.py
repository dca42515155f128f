"""Completion: signs a person in from a verified answer of either protocol."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.internal import statekit
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from ..models import IdentityProvider
from .clocks import SKEW_SECONDS, describe_clock
from .identity import Identity, digest_setup
from .login import check_address
from .provider import CompanyProvider, make_app
from .refusals import Refusal

WAITING_SECONDS = 120
_WAITING = "sso_waiting"  # in the session: who came back while somebody else is signed in
# Made anew each time they are raised: an exception holds the frames it went through.
NOT_BEGUN_HERE = partial(
    Refusal,
    "This sign-in was not started in this browser",
    "Or it was used before. Start again at the portal’s sign-in page.",
    cause="state not begun in this session, or used before",
)
TOO_OLD = partial(
    Refusal,
    "This sign-in took too long",
    "It is valid for ten minutes. Start again at the portal’s sign-in page.",
    cause="state too old",
)
REPLACED = partial(
    Refusal,
    "Your company’s sign-in settings have changed",
    "This answer belongs to the earlier settings. Start again at the portal’s sign-in page.",
    cause="provider was replaced meanwhile",
)
NOT_ASKED_AGAIN = partial(
    Refusal,
    "Your company did not ask you to sign in again",
    "It only reported an earlier sign-in. Choose a password by “Forgot your password?” and confirm with "
    "that, or ask an owner.",
    cause="re-authentication answered with an earlier one",
)
DID_NOT_SAY_WHEN = partial(
    Refusal,
    "Your company did not say when you signed in",
    "Its answer has no `auth_time`. Choose a password by “Forgot your password?” and confirm with that, or ask an "
    "owner to let the provider send it.",
    cause="no usable auth_time though it was asked for",
)


def begin(request: HttpRequest, row: IdentityProvider, *, state_id: str | None = None, **kept: Any) -> str:
    """Store in the session what the answer is checked against; return its state parameter."""
    return str(
        CompanyProvider(request, app=make_app(row)).stash_redirect_state(
            request,
            "login",
            get_next_redirect_url(request) or "",
            state_id=state_id,
            # Somebody who is signed in is asked who they are once more, and not waved through.
            asked_again_at=time.time() if request.user.is_authenticated else 0.0,
            setup=digest_setup(row),
            **kept,
        )
    )


def take_state(request: HttpRequest, row: IdentityProvider, state_id: str) -> dict[str, Any]:
    """Return what was stored, once. Raises Refusal."""
    kept = statekit.get_states(request).get(state_id)
    is_old = bool(kept) and time.time() - kept[1] > statekit.STATE_TTL
    state = statekit.unstash_state(request, provider_id=row.domain.name, state_id=state_id)
    if state is None:
        raise TOO_OLD() if is_old else NOT_BEGUN_HERE()
    if state.get("setup") != digest_setup(row):
        raise REPLACED()
    return state


def complete(
    request: HttpRequest, row: IdentityProvider, identity: Identity, state: dict[str, Any]
) -> HttpResponseBase:
    """Sign the person in, or reauthenticate them; where somebody else is signed in, ask first. Raises Refusal."""
    _check_instant(identity, asked_again_at=state["asked_again_at"])
    check_address(row, identity)
    user = request.user
    if user.is_authenticated and user.email.lower() != identity.email:
        request.session[_WAITING] = {
            "identity": asdict(identity),
            "next": state.get("next") or "",
            "setup": digest_setup(row),
            "at": time.time(),
        }
        return redirect("sso_switch", row.domain.name)
    return _log_in(request, row, identity, next_url=state.get("next") or "")


def _check_instant(identity: Identity, *, asked_again_at: float) -> None:
    """Raise Refusal unless the provider's time of sign-in fits. asked_again_at: 0.0 where nobody was signed in."""
    at, now = identity.authenticated_at, time.time()
    if at is not None and at > now + SKEW_SECONDS:
        raise Refusal(
            "Your company’s answer could not be verified",
            f"It says that you signed in there in the future: {describe_clock(at - now)}.",
            cause=f"authentication in the future: {describe_clock(at - now)}",
        )
    if asked_again_at and at is None:
        raise DID_NOT_SAY_WHEN()
    if asked_again_at and at is not None and at < asked_again_at - SKEW_SECONDS:
        raise NOT_ASKED_AGAIN()


def _log_in(
    request: HttpRequest, row: IdentityProvider, identity: Identity, *, next_url: str
) -> HttpResponseBase:
    login: Any = CompanyProvider(request, app=make_app(row)).sociallogin_from_response(request, identity)
    login.state = {"process": "login", "next": next_url}
    request.sso_identity = identity  # type: ignore[attr-defined]  # asked by the adapter
    # The session is as fresh as what the provider says, and not as its answer.
    request.proved_at = min(identity.authenticated_at or 0.0, time.time())  # type: ignore[attr-defined]
    response: HttpResponseBase = complete_social_login(request, login)
    return response


# ── somebody else is signed in ───────────────────────────────────────────────────────────────────
def find_waiting(request: HttpRequest, row: IdentityProvider) -> Identity | None:
    """Return who came back while somebody else is signed in; None where nobody did within two minutes."""
    kept = request.session.get(_WAITING)
    if not kept or kept["setup"] != digest_setup(row) or time.time() - kept["at"] > WAITING_SECONDS:
        return None
    return Identity(**kept["identity"])


def switch(request: HttpRequest, row: IdentityProvider, identity: Identity) -> HttpResponseBase:
    """Sign out whoever is signed in, and sign in who came back. Raises Refusal."""
    next_url = str(request.session.pop(_WAITING)["next"])
    return _log_in(request, row, identity, next_url=next_url)


def stay(request: HttpRequest) -> None:
    """Forget who came back."""
    request.session.pop(_WAITING, None)
