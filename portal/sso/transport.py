"""Transport: calls identity providers by https, at public IP addresses only, within limits of time and size.

An owner types the address, so it is checked where the connection is made, after the name was resolved:
a name that resolves to a private address, or to another one at the second look, is left before a byte
is sent. Redirects are not followed. SSO_PRIVATE_HOSTS names hosts that may be private.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from portal.deadline import DeadlineResponse, get_seconds_left, within

CONNECT_SECONDS, READ_SECONDS, LONGEST_SECONDS = 3.05, 5.0, 15.0
MOST_ADDRESSES = 3  # of one host name, tried one after the other
LARGEST_BYTES = 1_000_000
LONGEST_ADDRESS = 2_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CHECK_ADDRESS = "The identity provider cannot be used: {}. Check its address."


class ProviderUnreachable(requests.RequestException):
    """The identity provider was not reached, or its answer not read completely; the message says why.

    cause: a few words for the log.
    """

    def __init__(self, message: str, *, cause: str) -> None:
        super().__init__(message)
        self.cause = cause


class _PrivateNetwork(NewConnectionError):
    """The name leads into a private network."""


def is_acceptable(url: str) -> bool:
    """Return whether an address may be called at all: https, or plain http to this machine where DEBUG is on."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_ADDRESS:
        return False
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return False
    if not parts.hostname or not has_port or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in LOOPBACK and settings.DEBUG
    )


def _may_be_private(host: str) -> bool:
    return host in settings.SSO_PRIVATE_HOSTS or (settings.DEBUG and host in LOOPBACK)


def _check_peer(connection: Any, sock: Any) -> Any:
    """Return the socket, or close it and raise NewConnectionError where it leads into a private network."""
    address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global and not _may_be_private(connection.host):
        sock.close()
        raise _PrivateNetwork(connection, "The identity provider's name leads into a private network.")
    return sock


def _connect(connection: Any) -> Any:
    """Return a socket to one of the first addresses of the name, each tried within what is left of the deadline."""
    try:
        found = socket.getaddrinfo(connection.host.strip("[]"), connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameResolutionError(connection.host, connection, socket.gaierror(str(error))) from error
    failure: OSError = OSError("no address")
    for *_, address in found[:MOST_ADDRESSES]:
        seconds = min(CONNECT_SECONDS, get_seconds_left())
        try:
            made = create_connection(
                (str(address[0]), connection.port), seconds, socket_options=connection.socket_options
            )
        except OSError as error:
            failure = error
            continue
        return _check_peer(connection, made)
    raise NewConnectionError(connection, f"Failed to establish a new connection: {failure}") from failure


class _Plain(HTTPConnection):
    response_class = DeadlineResponse

    def _new_conn(self) -> Any:
        return _connect(self)


class _Tls(HTTPSConnection):
    response_class = DeadlineResponse

    def _new_conn(self) -> Any:
        return _connect(self)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    """Reads an answer completely, within the limits."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if not is_acceptable(request.url or ""):
            raise ProviderUnreachable(
                "The identity provider must be reached by https.", cause="address is not https"
            )
        kwargs |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "stream": True, "proxies": {}}
        try:
            with within(LONGEST_SECONDS):
                response = super().send(request, **kwargs)
                response._content = _read(response)
        except ProviderUnreachable:
            raise
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError) as error:
            why, cause = _describe(error)
            # Not chained: the library's words hold the whole address, and what was sent.
            raise ProviderUnreachable(CHECK_ADDRESS.format(why), cause=cause) from None
        return response


def _read(response: requests.Response) -> bytes:
    """Return the body. Raises ProviderUnreachable where it is a redirect or too large."""
    with response:
        if response.is_redirect:
            raise ProviderUnreachable(
                "The identity provider answered with a redirect, which is not followed.", cause="redirect"
            )
        body = bytearray()
        for part in response.iter_content(16_384):
            get_seconds_left()
            body += part
            if len(body) > LARGEST_BYTES:
                raise ProviderUnreachable(
                    "The identity provider's answer was too large.", cause="answer too large"
                )
    return bytes(body)


def _describe(error: Exception) -> tuple[str, str]:
    """Return why it was not reached, for the owner and for the log."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, _PrivateNetwork):
        return "its host name leads to a private network", "name leads into a private network"
    if isinstance(reason, NameResolutionError):
        return "its host name is not in the DNS", "name not known"
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its TLS certificate is not trusted", "certificate not trusted"
        return "no TLS connection could be made", "TLS failed"
    is_late = any(words in str(error) for words in ("timed out", "took too long"))
    if is_late or isinstance(error, requests.Timeout | TimeoutError):
        return "it did not answer in time", "too slow"
    return "no connection could be made", f"not reached ({type(error).__name__})"


def make_session() -> requests.Session:
    """Return a session that connects only to allowed addresses, without proxies of the environment."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Accept-Encoding"] = "gzip"
    adapter = _Adapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def call(method: str, url: str, **sent: Any) -> requests.Response:
    """Return the answer, whatever its status. Raises ProviderUnreachable, and nothing else."""
    try:
        with make_session() as session:
            return session.request(method, url, **sent)
    except ProviderUnreachable:
        raise
    except (requests.RequestException, ValueError) as error:  # an address that the library cannot write
        raise ProviderUnreachable(
            CHECK_ADDRESS.format("it cannot be called"), cause=f"not reached ({type(error).__name__})"
        ) from None


def read_document(reply: requests.Response) -> dict[str, Any]:
    """Return the JSON object in an answer; {} where there is none, whatever was sent instead."""
    try:
        found = json.loads(reply.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
