"""Outgoing calls: to addresses that people typed, by https, at public IP addresses only, within limits of time.

The address is checked where the connection is made, after the name was resolved: a name that resolves to a private
address, or to another one at the second look, is left before a byte is sent. Hosts that may be private are named by
the caller; where DEBUG is on, this machine may be called, by plain http too.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from portal.deadline import DeadlineResponse, get_seconds_left, within

CONNECT_SECONDS, READ_SECONDS = 3.05, 5.0
MOST_ADDRESSES = 3  # of one host name, tried one after the other
LONGEST_ADDRESS = 2_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FAILURES = (requests.RequestException, HTTPError, http.client.HTTPException, OSError)


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


def _may_be_private(connection: Any) -> bool:
    return connection.host in connection.private_hosts or (settings.DEBUG and connection.host in LOOPBACK)


class _Guarded:
    """Part of a connection that leads to public addresses alone. private_hosts: host names that may be private."""

    private_hosts: Collection[str] = ()

    def _new_conn(self) -> Any:
        return _connect(self)


def _make_pools(private_hosts: Collection[str]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(_Guarded, HTTPConnection):
        response_class = DeadlineResponse

    class Tls(_Guarded, HTTPSConnection):
        response_class = DeadlineResponse

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    Plain.private_hosts = Tls.private_hosts = private_hosts
    return {"http": PlainPool, "https": TlsPool}


def _check_peer(connection: Any, sock: Any) -> Any:
    """Return the socket, or close it and raise NewConnectionError where it leads into a private network."""
    address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global and not _may_be_private(connection):
        sock.close()
        raise _PrivateNetwork(connection, "The name leads into a private network.")
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


class GuardedAdapter(HTTPAdapter):
    """Connects to public addresses, and to private ones of the hosts named."""

    def __init__(self, private_hosts: Collection[str] = ()) -> None:
        self._private_hosts = private_hosts
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _make_pools(self._private_hosts)


def make_session(adapter: HTTPAdapter) -> requests.Session:
    """Return a session that takes nothing from the environment: no proxies, no passwords."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def describe_failure(error: Exception) -> tuple[str, str]:
    """Return why it was not reached, for a person and for the log."""
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


class NotReached(Exception):
    """The address was not reached; the message says why, to a person, as the second half of a sentence."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of an answer."""

    status: int
    content: bytes


def read_beginning(
    url: str, *, headers: Mapping[str, str], most_bytes: int, seconds: float, redirects: int = 3
) -> Beginning:
    """Return how the answer of an address begins; each redirect is checked like the address. Raises: NotReached"""
    with within(seconds), make_session(GuardedAdapter()) as session:
        session.headers.clear()
        session.headers.update(headers)
        for _ in range(redirects + 1):
            url = urldefrag(url).url
            if not is_acceptable(url):
                raise NotReached("it is not a plain https address")
            try:
                answer = _read_one(session, url, most_bytes)
            except (*FAILURES, ValueError) as error:
                raise NotReached(describe_failure(error)[0]) from None
            if isinstance(answer, Beginning):
                return answer
            url = answer
    raise NotReached("it redirects too often")


def post(
    url: str, body: bytes, *, headers: Mapping[str, str], seconds: float, private_hosts: Collection[str] = ()
) -> int:
    """Return the status with which an address answers this body; of the answer, nothing else is read.

    A redirect is not followed: what was sent is meant for this address alone. Raises: NotReached
    """
    if not is_acceptable(url):
        raise NotReached("it is not a plain https address")
    with within(seconds), make_session(GuardedAdapter(private_hosts)) as session:
        session.headers.clear()
        try:
            with session.post(
                url,
                data=body,
                headers=dict(headers),
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            ) as response:
                return response.status_code
        except (*FAILURES, ValueError) as error:
            # Not chained: the library's words hold the whole address.
            raise NotReached(describe_failure(error)[0]) from None


def _read_one(session: requests.Session, url: str, most_bytes: int) -> Beginning | str:
    """Return the beginning of one answer, or where it redirects to."""
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    with session.get(url, stream=True, allow_redirects=False, timeout=timeout) as response:
        session.cookies.clear()
        if response.is_redirect:
            return urljoin(url, response.headers["Location"])
        return Beginning(response.status_code, response.raw.read(most_bytes))
