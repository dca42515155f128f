"""Exchange: turns an authorization code into an identity, by calling the provider."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus, urlencode

from allauth.socialaccount import app_settings
from requests import Response

from integrations.crypto.sealing import open_sealed

from ..models import IdentityProvider
from .discovery import BASIC, Configuration, get_configuration
from .identity import Identity
from .refusals import ASK, Refusal
from .tokens import read_instant, read_token
from .transport import ProviderUnreachable, call, read_document

# Of a provider that vouches for its addresses: where else than in `email` it may say one.
ELSEWHERE = ("upn", "preferred_username")
# RFC 6749, section 5.2: what the token endpoint may answer, and what that means here.
REFUSED = {
    "invalid_client": (
        "Your company’s sign-in rejected the portal’s secret",
        "The client ID or the client secret set up here is wrong, or the secret has expired.",
    ),
    "unauthorized_client": (
        "Your company’s sign-in does not serve this portal",
        "The application registered there may not use the authorization code flow.",
    ),
    "invalid_grant": (
        "Your company’s sign-in says that its answer was used or is too old",
        "Start again. If the problem persists, the redirect URI registered there differs from the one shown here.",
    ),
}


def get_authorization_address(row: IdentityProvider, asked: dict[str, str]) -> str:
    """Return where to send the browser. Raises ProviderUnreachable."""
    endpoint = get_configuration(row.issuer).authorization_endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def get_identity(
    row: IdentityProvider, *, code: str, code_verifier: str, redirect_uri: str, issuer: str | None
) -> Identity:
    """Return the identity that the code stands for. Raises Refusal, ProviderUnreachable.

    issuer: as the answer names it (RFC 9207), where it does.
    """
    config = get_configuration(row.issuer)
    if issuer is not None and issuer != config.issuer:
        raise Refusal(
            "Your company’s answer could not be verified",
            f"It comes from a different issuer than the one set up here. {ASK}",
            cause="wrong issuer in the answer's address",
        )
    tokens = _redeem(
        row, config, {"code": code, "code_verifier": code_verifier, "redirect_uri": redirect_uri}
    )
    claims = read_token(tokens.get("id_token"), config, client_id=row.client_id)
    uid = claims.get("sub")
    if not isinstance(uid, str) or not is_storable(uid, app_settings.UID_MAX_LENGTH):
        raise Refusal(
            "Your company’s answer could not be verified",
            f"It does not name you by an identifier (`sub`). {ASK}",
            cause="no usable sub",
        )
    if _needs_userinfo(row, claims):
        claims = _complete(claims, _read_userinfo(config, tokens.get("access_token"), uid))
    email = _find_email(row, claims)
    return Identity(
        uid=uid,
        email=email,
        is_verified=_is_verified(row, claims),
        authenticated_at=read_instant(claims.get("auth_time")),
    )


def is_storable(text: str, longest: int) -> bool:
    """Return whether an external text is short, and has no character that a database refuses."""
    return 0 < len(text) <= longest and text.isprintable()


# ── the token endpoint ───────────────────────────────────────────────────────────────────────────
def _redeem(row: IdentityProvider, config: Configuration, sent: dict[str, str]) -> dict[str, Any]:
    secret = open_sealed(row.client_secret_sealed, bound_to=row.bound_to)
    fields = {"grant_type": "authorization_code"} | sent
    headers = {"Accept": "application/json"}
    if config.token_auth == BASIC:
        headers["Authorization"] = _make_basic(row.client_id, secret)
    else:
        fields |= {"client_id": row.client_id, "client_secret": secret}
    reply = call("POST", config.token_endpoint, data=fields, headers=headers)
    document = read_document(reply)
    if reply.status_code in (200, 201) and document:
        return document
    raise _refuse_reply(reply, document)


def _make_basic(client_id: str, secret: str) -> str:
    """Return the header; both parts are form-encoded before they are joined (RFC 6749, section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _refuse_reply(reply: Response, document: dict[str, Any]) -> Refusal:
    error = document.get("error")
    if isinstance(error, str) and error in REFUSED:
        title, message = REFUSED[error]
        return Refusal(title, f"{message} {ASK}", cause=f"token endpoint answered {error}")
    if reply.status_code == 401:
        title, message = REFUSED["invalid_client"]
        return Refusal(title, f"{message} {ASK}", cause="token endpoint answered with status 401")
    if reply.status_code >= 500:
        return Refusal(
            "Your company’s sign-in had an error",
            "It answered with a server error. Try again in a few minutes.",
            cause=f"token endpoint answered with status {reply.status_code}",
        )
    words = "without tokens" if document else "with something that is no JSON"
    return Refusal(
        "Your company’s sign-in sent an invalid answer",
        f"Its token endpoint answered {words} (status {reply.status_code}). {ASK}",
        cause=f"token endpoint answered {words}, status {reply.status_code}",
    )


# ── the address ──────────────────────────────────────────────────────────────────────────────────
def _needs_userinfo(row: IdentityProvider, claims: dict[str, Any]) -> bool:
    """Return whether the token lacks claims that the userinfo endpoint may have.

    Okta's own authorization server puts `email_verified` there alone, PingFederate the address itself.
    """
    if not _read_email(claims.get("email")):
        return True
    return not row.vouches_for_addresses and "email_verified" not in claims and "xms_edov" not in claims


def _read_userinfo(config: Configuration, access_token: object, uid: str) -> dict[str, Any]:
    """Return the same person's address and its verification; {} where the provider does not say."""
    if not config.userinfo_endpoint or not isinstance(access_token, str):
        return {}
    try:
        reply = call("GET", config.userinfo_endpoint, headers={"Authorization": f"Bearer {access_token}"})
    except ProviderUnreachable:
        return {}
    found = read_document(reply) if reply.status_code == 200 else {}
    if found.get("sub") != uid:  # OpenID Connect Core 1.0, section 5.3.2
        return {}
    return {name: found[name] for name in ("email", "email_verified") if name in found}


def _complete(claims: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return the claims, with userinfo's about the same address."""
    present = _read_email(claims.get("email"))
    if not present:
        return claims | more
    return more | claims if _read_email(more.get("email")) == present else claims


def _read_email(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _find_email(row: IdentityProvider, claims: dict[str, Any]) -> str:
    found = _read_email(claims.get("email"))
    if found or not row.vouches_for_addresses:
        return found
    return next((read for name in ELSEWHERE if "@" in (read := _read_email(claims.get(name)))), "")


def _is_verified(row: IdentityProvider, claims: dict[str, Any]) -> bool:
    """Return whether the provider verified the address; where it says no, the owner's setting does not count.

    `email_verified` is a boolean by the standard, and a text by some. `xms_edov` is Entra ID's claim for a
    verified owner of the address's domain; it comes as a boolean, a number or a text.
    """
    said = [
        _read_flag(claims.get("email_verified")),
        {"1": True, "0": False}.get(str(claims.get("xms_edov")), _read_flag(claims.get("xms_edov"))),
    ]
    if False in said:
        return False
    return True in said or row.vouches_for_addresses


def _read_flag(value: object) -> bool | None:
    """Return a claim as a boolean; None where it is neither."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None
