"""Client: the one module that opens connections to Outreach; it checks, sends, repeats and records each call."""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations.errors import (
    IntegrationError,
    PolicyViolation,
    ReplyTooLarge,
    ScopeMissing,
    UnexpectedReply,
    Unreachable,
    WritesNotAllowed,
)
from integrations.interfaces import AccessSource, Budget, Permission, Recorder
from integrations.outreach.allowed_calls import Endpoint
from portal import deadline

from . import policy, rate_limits
from .calls import Call, describe_refusal
from .pace import Attempts, Pace
from .replies import (
    MEDIA_TYPE,
    Answer,
    NoAccess,
    NoConnection,
    Reply,
    TokenRejected,
    TooSlow,
    read_reply,
    unusable,
)

CONNECT_AND_READ_SECONDS = (3.05, 20.0)
CALL_SECONDS = 60.0
LARGEST_PAGE_BYTES = 16 * 1024 * 1024
LARGEST_REPLY_BYTES = 1024 * 1024
READ_TRIES = 4

# urllib3 logs whole addresses, and the address of a look-up holds somebody's e-mail address.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class _Connection(HTTPConnection):
    response_class = deadline.DeadlineResponse


class _SecureConnection(HTTPSConnection):
    response_class = deadline.DeadlineResponse


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: a redirect is never followed, and its body never read for one."""
        return None


class Transport:
    """Carries one request and its answer; kept-alive connections, bounded in number, size and time.

    Takes no proxy, password file or cookie from its surroundings.
    Safe to use from several threads.
    """

    def __init__(self, *, max_connections: int = 8) -> None:
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": "Countersign", "Accept-Encoding": "gzip"})
        adapter = self._make_adapter(max_connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def _make_adapter(self, max_connections: int) -> BaseAdapter:
        return _Adapter(pool_connections=1, pool_maxsize=max_connections, max_retries=0, pool_block=True)

    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        max_bytes: int,
        seconds: float,
    ) -> Answer:
        """Return the answer to one request, sent once.

        Raises: NoConnection, TooSlow or Unreachable when no whole answer arrived in `seconds`; ReplyTooLarge
            when it is larger than `max_bytes`, UnreadableReply when packed in a way that was not offered.
        """
        try:
            with (
                deadline.within(seconds),
                self._session.request(
                    method,
                    url,
                    headers=dict(headers),
                    data=content,
                    timeout=(min(CONNECT_AND_READ_SECONDS[0], seconds), CONNECT_AND_READ_SECONDS[1]),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                return Answer(response.status_code, response.headers, _read(response, max_bytes))
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
        ) as error:
            # Not chained: the library's words hold the whole address.
            raise _kind_of(error)(
                "Outreach could not be reached. No action needed: the portal tries again.",
                detail=type(error).__name__,
            ) from None

    def close(self) -> None:
        """Close every idle connection."""
        self._session.close()


def _kind_of(error: Exception) -> type[Unreachable]:
    """Return what came of a request that has no answer: no connection, no answer in time, or a broken one."""
    within = error.args[0] if error.args else None  # requests wraps what urllib3 said, and http.client before
    reasons = (error, within, getattr(within, "reason", None), *getattr(within, "args", ()))
    if isinstance(error, (requests.exceptions.SSLError, requests.ConnectTimeout)):
        return NoConnection
    if any(isinstance(reason, urllib3.exceptions.NewConnectionError) for reason in reasons):
        return NoConnection
    late = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return TooSlow if any(isinstance(reason, late) for reason in reasons) else Unreachable


class _OfflineAdapter(BaseAdapter):
    def __init__(self) -> None:
        super().__init__()
        self.reached = 0

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        self.reached += 1
        raise requests.ConnectionError("offline")

    def close(self) -> None:
        return


class OfflineTransport(Transport):
    """A transport that has no way to connect: where a connection would be opened, it counts instead.

    For the proof that forbidden calls are stopped before; it must not send even if the policy had a hole.
    """

    def _make_adapter(self, max_connections: int) -> BaseAdapter:
        self._offline = _OfflineAdapter()
        return self._offline

    @property
    def reached(self) -> int:
        """How many requests came as far as opening a connection."""
        return self._offline.reached


def _read(response: requests.Response, max_bytes: int) -> bytes:
    headers = response.headers
    packing = headers.get("Content-Encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip"):
        raise unusable("packed in a way that was not offered")
    has_measure = "Content-Length" in headers or "Transfer-Encoding" in headers
    if response.status_code == 200 and not has_measure:
        # http.client takes the end of the stream for the end of the head; then nothing tells a whole body.
        raise http.client.IncompleteRead(b"")
    chunks, size = [], 0
    for chunk in response.raw.stream(32 * 1024, decode_content=True):
        size += len(chunk)
        if size > max_bytes:
            raise unusable(f"larger than {max_bytes} bytes", ReplyTooLarge)
        chunks.append(chunk)
    return b"".join(chunks)


class OutreachClient:
    """Calls the endpoints of the table, for one connection, and records every call.

    base_url: scheme, host and port; 'https://api.outreach.io' outside the sandbox.
    permission: asked before every attempt, so that a pause holds from the next call on.
    seconds: how long one call may take, from connecting to the last byte.
    transport: what carries the requests; one of its own where none is given. It is closed with the client.
    pace: when a call is made again; one that repeats where none is given.
    now: the clock, for tests.
    Safe to use from several threads; close it, or use it in a `with` block.
    """

    def __init__(
        self,
        *,
        base_url: str,
        access: AccessSource,
        budget: Budget,
        permission: Callable[[], Permission],
        record: Recorder,
        max_connections: int = 8,
        seconds: float = CALL_SECONDS,
        transport: Transport | None = None,
        pace: Pace | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._access = access
        self._budget = budget
        self._permission = permission
        self._record = record
        self._now = now
        self._seconds = seconds
        self.pace = pace or Pace()
        self._transport = transport or Transport(max_connections=max_connections)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every idle connection."""
        self._transport.close()

    def follow(self, endpoint: Endpoint, link: Any) -> str:
        """Return the cursor of the link to a listing's next page; one that leads elsewhere is recorded.

        Raises: UnexpectedReply for such a link, before any request is made.
        """
        try:
            return policy.check_next_link(link, base_url=self.base_url, path=endpoint.path)
        except UnexpectedReply as error:
            self._record(describe_refusal(endpoint, None, f"{error.message} ({error.detail})"))
            raise

    def send(
        self,
        endpoint: Endpoint,
        *,
        path_id: str | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        tries: int = READ_TRIES,
    ) -> Reply:
        """Return Outreach's reply to one call of the table.

        In order: the policy, the budget, the token, the call. A 401 renews the token once and repeats
        the call once; a 429 of at most 5 seconds is waited for once, and after repeated ones reads keep a
        distance. A read is tried up to `tries` times when no answer came or none that can be read; a write
        once (its reply may be lost and the write done: the caller reads and compares). A client that
        repeats nothing does none of this, but a 401 still renews the token, for the next call. Waiting for
        our own budget or for a token is not recorded: nothing left.
        Raises: PolicyViolation, and every member of integrations.errors.
        """
        query = dict(query or {})
        attempts, token = Attempts(self.pace, tries if body is None else 1), ""
        while True:
            if body is None:
                self.pace.keep_distance()
            call = self._check(endpoint, path_id, query, body)
            self._budget.take()
            token = token or self._lease_token()
            try:
                reply = self._attempt(call, token)
                self.pace.spacing.answered()
                return reply
            except IntegrationError as error:
                if isinstance(error, TokenRejected) and not attempts.has_renewed:
                    token = self._lease_token(rejected=token)
                if not attempts.may_repeat(error):
                    raise

    def _lease_token(self, *, rejected: str = "") -> str:
        try:
            return self._access.renew(rejected) if rejected else self._access.token()
        except (Unreachable, UnexpectedReply) as error:
            raise NoAccess(error.message, detail=error.detail) from error

    def _check(self, endpoint: Endpoint, path_id: str | None, query: Mapping[str, str], body: Any) -> Call:
        """Return the call as it may leave; one that may not is recorded and raised."""
        permission = self._permission()
        try:
            policy.check(
                endpoint,
                path_id=path_id,
                query=query,
                body=body,
                granted=permission.granted,
                switched_off=permission.switched_off,
                writes_allowed=permission.writes_allowed,
            )
            names = permission.requested if permission.granted is None else permission.granted
            return Call(endpoint, policy.scope_used(endpoint, names), path_id, query, body)
        except (PolicyViolation, ScopeMissing, WritesNotAllowed) as error:
            self._record(describe_refusal(endpoint, path_id, str(error)))
            raise

    def _attempt(self, call: Call, token: str) -> Reply:
        started = time.monotonic()
        status, skew, reply, failure = 0, None, None, None
        try:
            answer = self._transport.exchange(
                call.endpoint.method,
                self.base_url + call.path,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": MEDIA_TYPE,
                    # On reads too: without it Outreach answers 415.
                    "Content-Type": MEDIA_TYPE,
                },
                content=call.content,
                max_bytes=LARGEST_PAGE_BYTES if call.endpoint.verb == "read" else LARGEST_REPLY_BYTES,
                seconds=self._seconds,
            )
            status, skew = answer.status, rate_limits.clock_skew(answer.headers, now=self._now())
            reply = read_reply(call.endpoint, answer, scope=call.scope, budget=self._budget, now=self._now())
            return reply
        except IntegrationError as error:
            failure = error
            raise
        finally:
            seconds = time.monotonic() - started
            self._record(
                call.describe(status=status, reply=reply, failure=failure, seconds=seconds, skew_seconds=skew)
            )
