"""ID tokens: verifies an OpenID Connect provider's tokens by signature, issuer, audience and time."""

from __future__ import annotations

import math
import time
from typing import Any

import jwt
from jwt.types import Options

from .clocks import SKEW_SECONDS, describe_clock, describe_difference
from .discovery import Configuration, get_keys
from .refusals import ASK, Refusal

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "ES256",
    "ES384",
    "EdDSA",
]  # signed with a key we do not hold
MOST_TRIED = 10  # keys that may have made one signature
TITLE = "Your company’s answer could not be verified"


def read_token(id_token: object, config: Configuration, *, client_id: str) -> dict[str, Any]:
    """Return the claims of a verified token. Raises Refusal, ProviderUnreachable."""
    if not isinstance(id_token, str) or not id_token:
        raise _disbelieve("It contains no ID token (`id_token`).", cause="no ID token")
    claims = _check_signature(id_token, config.jwks_uri)
    if claims.get("iss") != config.issuer:
        raise _disbelieve("It comes from a different issuer than the one set up here.", cause="wrong issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or claims.get("azp", client_id) != client_id:
        raise _disbelieve("It was issued for another application.", cause="wrong audience")
    _check_times(claims)
    return claims


def _disbelieve(message: str, *, cause: str) -> Refusal:
    return Refusal(TITLE, f"{message} {ASK}", cause=cause)


def _check_signature(id_token: str, jwks_uri: str) -> dict[str, Any]:
    """Return the signed claims; the provider's keys are read again where no cached one fits."""
    try:
        header = jwt.get_unverified_header(id_token)
    except Exception as error:  # whatever odd bytes make the parser raise: it is no token
        raise _disbelieve("Its ID token could not be read.", cause="ID token could not be read") from error
    if header.get("alg") not in ALGORITHMS:
        raise _disbelieve(
            "Its ID token is not signed with a supported algorithm, such as RS256.",
            cause="ID token signed by an algorithm that is not taken",
        )
    for fresh in (False, True):
        keys = _find_keys(header, get_keys(jwks_uri, fresh=fresh))
        for key in keys:
            claims = _decode(id_token, key)
            if claims is not None:
                return claims
    if keys:
        raise _disbelieve("Its signature is not valid.", cause="signature does not hold")
    raise _disbelieve("It is signed with a key the provider does not publish.", cause="unknown key")


def _find_keys(header: dict[str, Any], keys: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the keys that the token names, or all where it names none."""
    name = header.get("kid")
    found = [key for key in keys if key.get("use", "sig") == "sig" and name in (None, key.get("kid"))]
    return found[:MOST_TRIED]


def _decode(id_token: str, key: dict[str, str]) -> dict[str, Any] | None:
    """Return the claims if this key made the signature, else None; they are not checked here."""
    unchecked: Options = {
        "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False,
        "verify_iss": False, "verify_sub": False, "verify_jti": False,
    }  # fmt: skip
    try:
        claims = jwt.decode(id_token, key=jwt.PyJWK(key), algorithms=ALGORITHMS, options=unchecked)
    except Exception:  # whatever an odd key or token makes the parsers raise: this key did not sign it
        return None
    return claims if isinstance(claims, dict) else None


def _check_times(claims: dict[str, Any]) -> None:
    now = time.time()
    issued, ends = read_instant(claims.get("iat")), read_instant(claims.get("exp"))
    starts = read_instant(claims.get("nbf", issued))
    if issued is None or ends is None or starts is None:
        raise _disbelieve("It does not say from when to when it is valid.", cause="no iat, exp or nbf")
    ahead = max(issued, starts) - now
    if ahead > SKEW_SECONDS:
        raise _disbelieve(f"By it, {describe_clock(ahead)}.", cause=f"clocks apart: {describe_clock(ahead)}")
    if ends <= now - SKEW_SECONDS:
        raise _disbelieve(
            f"It expired {describe_difference(now - ends)} ago, although it was just issued: "
            f"{describe_clock(issued - now)}.",
            cause=f"clocks apart, or an old token: {describe_clock(issued - now)}",
        )


def read_instant(value: object) -> float | None:
    """Return a token's time in seconds since 1970; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
