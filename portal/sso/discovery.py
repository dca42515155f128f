"""Discovery: reads what an OpenID Connect provider publishes about itself, cached for some minutes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from django.core.cache import cache

from portal.outgoing import is_acceptable

from .transport import CHECK_ADDRESS, ProviderUnreachable, call, read_document

KEPT_SECONDS = 5 * 60
MOST_KEYS = 100
POST, BASIC = "client_secret_post", "client_secret_basic"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Addresses are https. userinfo_endpoint: "" where there is none. token_auth: how we authenticate."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    token_auth: str


def get_configuration(issuer: str) -> Configuration:
    """Return the configuration, at most five minutes old. Raises ProviderUnreachable."""
    kept = cache.get(_name("configuration", issuer))
    return Configuration(**kept) if kept else read_configuration(issuer)


def read_configuration(issuer: str) -> Configuration:
    """Return what the issuer publishes now. Raises ProviderUnreachable where it is inconsistent."""
    reply = call("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
    if reply.status_code != 200:
        raise ProviderUnreachable(
            CHECK_ADDRESS.format(f"it answered with status {reply.status_code}"),
            cause=f"configuration answered with status {reply.status_code}",
        )
    document = read_document(reply)
    if not document:
        raise ProviderUnreachable(
            CHECK_ADDRESS.format("its configuration is not JSON"), cause="configuration is not JSON"
        )
    if document.get("issuer") != issuer:
        raise ProviderUnreachable(
            "The answer there names another issuer. Copy the issuer exactly as it is published.",
            cause="configuration names another issuer",
        )
    found = _read(document)
    cache.set(_name("configuration", issuer), asdict(found), KEPT_SECONDS)
    return found


def _read(document: dict[str, Any]) -> Configuration:
    needed = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    if not all(isinstance(url, str) and is_acceptable(url) for url in needed.values()):
        raise ProviderUnreachable(
            "The identity provider's own addresses are not all https.",
            cause="configuration names addresses that are not https",
        )
    userinfo = document.get("userinfo_endpoint")
    # OpenID Connect Discovery 1.0, section 3: where nothing is said, it is client_secret_basic.
    offered = document.get("token_endpoint_auth_methods_supported", [BASIC])
    ways = [way for way in (POST, BASIC) if isinstance(offered, list) and way in offered]
    if not ways:
        raise ProviderUnreachable(
            "The identity provider accepts no client secret. Let it accept client_secret_post or client_secret_basic.",
            cause="token endpoint takes no client secret",
        )
    return Configuration(
        issuer=str(document["issuer"]),
        authorization_endpoint=str(needed["authorization_endpoint"]),
        token_endpoint=str(needed["token_endpoint"]),
        jwks_uri=str(needed["jwks_uri"]),
        userinfo_endpoint=userinfo if isinstance(userinfo, str) and is_acceptable(userinfo) else "",
        token_auth=ways[0],
    )


def get_keys(url: str, *, fresh: bool = False) -> list[dict[str, str]]:
    """Return the keys the provider signs with, at most five minutes old. Raises ProviderUnreachable."""
    kept = None if fresh else cache.get(_name("keys", url))
    if kept is not None:
        return list(kept)
    reply = call("GET", url)
    found = read_document(reply).get("keys") if reply.status_code == 200 else None
    if not isinstance(found, list):
        raise ProviderUnreachable(
            "The identity provider's keys could not be read.",
            cause=f"keys could not be read (status {reply.status_code})",
        )
    keys = [
        {name: value for name, value in key.items() if isinstance(value, str)}
        for key in found[:MOST_KEYS]
        if isinstance(key, dict)
    ]
    cache.set(_name("keys", url), keys, KEPT_SECONDS)
    return keys


def _name(kind: str, url: str) -> str:
    return f"sso:{kind}:{hashlib.sha256(url.encode()).hexdigest()}"
