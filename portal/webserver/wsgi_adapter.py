"""WSGI adapter: runs a WSGI application in threads behind granian's RSGI, without blocking threads on slow clients.

A request gets a thread once its body has arrived. The event loop sends the answer, so a slow client holds no
thread either, up to BUFFERED_BYTES.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from itertools import chain
from typing import IO, Any

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from .request_body import BodyReader, BodyRefused
from .thread_pool import ThreadPool, TooBusy

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

BUFFERED_BYTES = 1_000_000
SEND_SECONDS = 30.0  # a reader who takes nothing for so long is given up
RETRY_AFTER_SECONDS = 5
_PLAIN = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class _Answer:
    """A complete answer of the application."""

    status: int
    headers: Headers
    body: bytes


class _Start:
    """WSGI's `start_response`."""

    status = 500
    headers: Headers = []

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> None:
        self.status = int(status[:3])
        self.headers = headers


class WSGIAdapter:
    """An RSGI application around a WSGI one.

    get_pool: which threads answer a path. A blocked pool does not affect the others.
    is_signed_in: whether a Cookie header is that of a live session; runs in the path's pool.
    at_end: called once the last request is answered, when the server was told to end.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        get_pool: Callable[[str], ThreadPool],
        is_signed_in: Callable[[str], bool] = lambda cookies: False,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._application = application
        self._get_pool = get_pool
        self._is_signed_in = is_signed_in
        self._at_end = at_end
        self._bodies = BodyReader()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        environ = _make_environ(scope)
        pool = self._get_pool(scope.path)
        try:
            environ["wsgi.input"] = await self._read_body(environ, protocol, pool)
            answer = await pool.run(self._answer, environ, protocol, asyncio.get_running_loop())
        except BodyRefused as refused:
            _refuse(protocol, refused.status, refused.text, [("Connection", "close")])
        except TooBusy:
            _refuse(
                protocol,
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many requests are waiting. Try again in a few seconds.",
                [("Retry-After", str(RETRY_AFTER_SECONDS))],
            )
        except Exception:
            logger.exception("The application failed.")
            _refuse(protocol, HTTPStatus.INTERNAL_SERVER_ERROR, "An error occurred on the server.", [])
        else:
            if answer is not None:
                protocol.response_bytes(answer.status, answer.headers, answer.body)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian when a process ends; the loop does not run any more."""
        self._at_end()

    async def _read_body(
        self, environ: Mapping[str, Any], protocol: HTTPProtocol, pool: ThreadPool
    ) -> IO[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ:
            # Whether a body in chunks is complete cannot be told from one that was cut.
            raise BodyRefused(HTTPStatus.LENGTH_REQUIRED, "Send the request with a Content-Length.")
        length = int(environ.get("CONTENT_LENGTH") or 0)  # the server refuses what is no number
        if not length:
            return BytesIO()
        return await self._bodies.read(
            protocol,
            length=length,
            is_signed_in=lambda: pool.run(self._is_signed_in, environ.get("HTTP_COOKIE", "")),
        )

    def _answer(
        self, environ: dict[str, Any], protocol: HTTPProtocol, loop: asyncio.AbstractEventLoop
    ) -> _Answer | None:
        """Return the whole answer, or None where it was larger and has been sent. Runs in a thread."""
        start = _Start()
        with closing(environ["wsgi.input"]):
            returned = self._application(environ, start)
            try:
                pieces = iter(returned)
                begun, size = [], 0
                for piece in pieces:
                    begun.append(piece)
                    size += len(piece)
                    if size > BUFFERED_BYTES:
                        _stream(protocol, start, chain([b"".join(begun)], pieces), loop)
                        return None
                return _Answer(start.status, start.headers, b"".join(begun))
            finally:
                close = getattr(returned, "close", None)
                if close is not None:
                    close()


def _stream(
    protocol: HTTPProtocol, start: _Start, pieces: Iterator[bytes], loop: asyncio.AbstractEventLoop
) -> None:
    """Stream a large answer from the thread that produces it, as database cursors require."""
    transport = protocol.response_stream(start.status, start.headers)

    async def send(piece: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await transport.send_bytes(piece)

    with suppress(ProtocolClosed, TimeoutError):  # the reader went, or takes nothing
        for piece in pieces:
            asyncio.run_coroutine_threadsafe(send(piece), loop).result()


def _make_environ(scope: Scope) -> dict[str, Any]:
    """Return the request's head as WSGI has it.

    Names with an underscore are left out: `X_Forwarded_For` would be taken for the proxy's `X-Forwarded-For`.
    """
    server_name, _, server_port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server_name,
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    return environ


def _refuse(protocol: HTTPProtocol, status: HTTPStatus, text: str, headers: Headers) -> None:
    protocol.response_str(status, [_PLAIN, ("Cache-Control", "no-store"), *headers], text + "\n")
