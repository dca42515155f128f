"""How the portal calls an identity provider: https to public addresses alone, bounded in time and size.

An owner types the address, so it is checked where the connection is made, after the name was resolved:
a name that resolves to a private address, or to another one at the second look, is left before a byte
is sent. Redirects are not followed. SSO_PRIVATE_HOSTS names hosts that may be private.
"""

from __future__ import annotations

import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

CONNECT_SECONDS, READ_SECONDS, LONGEST_SECONDS = 3.05, 5.0, 15.0
LARGEST_BYTES = 1_000_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ProviderUnreachable(requests.RequestException):
    """The identity provider was not called, or its answer not read to the end; the words say why."""


def is_acceptable(url: str) -> bool:
    """Return whether an address may be called at all: https, or plain http to this machine where DEBUG is on."""
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in LOOPBACK and settings.DEBUG
    )


def _may_be_private(host: str) -> bool:
    return host in settings.SSO_PRIVATE_HOSTS or (settings.DEBUG and host in LOOPBACK)


def _check_peer(connection: Any, sock: Any) -> Any:
    """Return the socket, or close it and raise NewConnectionError where it leads into a private network."""
    address = ipaddress.ip_address(sock.getpeername()[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global and not _may_be_private(connection.host):
        sock.close()
        raise NewConnectionError(connection, "The identity provider's name leads into a private network.")
    return sock


class _Plain(HTTPConnection):
    def _new_conn(self) -> Any:
        return _check_peer(self, super()._new_conn())


class _Tls(HTTPSConnection):
    def _new_conn(self) -> Any:
        return _check_peer(self, super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    """Reads an answer whole, within the bounds, before anybody sees it."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if not is_acceptable(request.url or ""):
            raise ProviderUnreachable("The identity provider must be reached by https.")
        kwargs |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "stream": True, "proxies": {}}
        end = time.monotonic() + LONGEST_SECONDS
        response = super().send(request, **kwargs)
        if response.is_redirect:
            response.close()
            raise ProviderUnreachable(
                "The identity provider answered with a redirect, which is not followed."
            )
        body = bytearray()
        for part in response.iter_content(16_384):
            body += part
            if len(body) > LARGEST_BYTES or time.monotonic() > end:
                response.close()
                raise ProviderUnreachable("The identity provider's answer was too large or too slow.")
        response._content = bytes(body)
        return response


def make_session() -> requests.Session:
    """Return a session that goes nowhere but to acceptable addresses, without a proxy of the environment."""
    session = requests.Session()
    session.trust_env = False
    adapter = _Adapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def read_configuration(issuer: str) -> dict[str, Any]:
    """Return what the issuer publishes about itself. Raises ProviderUnreachable where it does not hold together."""
    try:
        with make_session() as session:
            reply = session.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            reply.raise_for_status()
            found = reply.json()
    except ProviderUnreachable:
        raise
    except (requests.RequestException, ValueError) as error:
        raise ProviderUnreachable(
            "The identity provider did not answer as one. Look at its address."
        ) from error
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise ProviderUnreachable(
            "The answer there names another issuer. Copy the issuer exactly as it is published."
        )
    if not all(isinstance(found.get(name), str) and is_acceptable(found[name]) for name in needed):
        raise ProviderUnreachable("The identity provider's own addresses are not all https.")
    return found


def read_keys(url: str) -> list[dict[str, Any]]:
    """Return the keys the identity provider signs with. Raises ProviderUnreachable."""
    try:
        with make_session() as session:
            reply = session.get(url)
            reply.raise_for_status()
            keys = reply.json()["keys"]
            return [key for key in keys if isinstance(key, dict)]
    except ProviderUnreachable:
        raise
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise ProviderUnreachable("The identity provider's keys could not be read.") from error
