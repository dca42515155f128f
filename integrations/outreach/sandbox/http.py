"""HTTP/1.1: reads one request from a stream and writes one response as bytes."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_LINE = 65_536
MAX_HEADERS = 100
MAX_BODY = 8 * 1024 * 1024
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VERSION = re.compile(r"HTTP/1\.[01]")
REASONS = {status.value: status.phrase for status in HTTPStatus}
JSON_API = "application/vnd.api+json"


class BadRequest(Exception):
    """The bytes are not a request this server reads; `status` says why the connection ends."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Request:
    """One request as it arrived; header names in lower case, path and query still encoded."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    keep_alive: bool = True

    @cached_property
    def decoded_path(self) -> str:
        return unquote(self.path) if "%" in self.path else self.path

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


@dataclass
class Transmission:
    """How a response is put on the wire; the default is at once and whole."""

    delay_seconds: float = 0.0
    # Bytes per step and seconds between steps, for a body that drips.
    drip: tuple[int, float] | None = None
    # Send only this many bytes of head and body, then reset the connection.
    cut_after: int | None = None


@dataclass
class Response:
    status: int
    body: bytes = b""
    content_type: str = JSON_API
    headers: list[tuple[str, str]] = field(default_factory=list)
    transmission: Transmission = field(default_factory=Transmission)

    @classmethod
    def json(cls, status: int, document: Any, content_type: str = JSON_API) -> Response:
        return cls(status, json.dumps(document, ensure_ascii=False).encode(), content_type)

    @classmethod
    def text(cls, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> Response:
        return cls(status, text.encode(), content_type)

    def encode(self, *, keep_alive: bool = True, with_body: bool = True) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}",
            "Server: sandbox-outreach",
        ]
        if not any(name.lower() == "date" for name, _ in self.headers):
            lines.append(f"Date: {_http_date()}")
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        # RFC 9110, 8.6: a 204 has no length.
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(self.body)}")
        if not keep_alive:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return head + self.body if with_body else head


_date_cache = (0, "")


def _http_date() -> str:
    """Now as an HTTP date; formatted once per second, since every response carries it."""
    global _date_cache
    second = int(time.time())
    if _date_cache[0] != second:
        _date_cache = (second, formatdate(second, usegmt=True))
    return _date_cache[1]


def read_request(stream: BinaryIO, proceed: Any = None) -> Request | None:
    """Return the next request, or None where the client closed between two.

    proceed: called when the client waits for `100 Continue` before it sends its body.
    Raises BadRequest for anything RFC 9112 does not allow.
    """
    line = _read_line(stream)
    # RFC 9112, 2.2: an empty line before a request line is to be skipped.
    while line == b"":
        line = _read_line(stream)
    if line is None:
        return None
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not TOKEN.fullmatch(parts[0]):
        raise BadRequest("malformed request line")
    method, target, version = parts
    if not VERSION.fullmatch(version):
        raise BadRequest("unsupported version", 505 if version.startswith("HTTP/") else 400)
    path, query = _split_target(target)
    headers = _read_headers(stream)
    if version == "HTTP/1.1" and "host" not in headers:
        raise BadRequest("no Host header")
    body = _read_body(stream, headers, proceed)
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection
    return Request(method, path, query, headers, body, keep_alive)


def _read_line(stream: BinaryIO) -> bytes | None:
    """Return one line without its end; None at the end of the stream."""
    line = stream.readline(MAX_LINE + 1)
    if not line:
        return None
    if len(line) > MAX_LINE:
        raise BadRequest("line too long", 431)
    if not line.endswith(b"\n"):
        raise BadRequest("the connection ended inside a line")
    return line.rstrip(b"\r\n")


def _split_target(target: str) -> tuple[str, str]:
    """Return path and query of an origin-form or absolute-form target."""
    if any(not "!" <= character <= "~" for character in target):
        raise BadRequest("the target has characters that must be encoded")
    if not target.startswith("/"):
        try:
            url = urlsplit(target)
        except ValueError:
            raise BadRequest("malformed target") from None
        if url.scheme not in ("http", "https") or not url.netloc:
            raise BadRequest("malformed target")
        return url.path or "/", url.query
    path, _, query = target.partition("?")
    return path, query


def _read_headers(stream: BinaryIO) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MAX_HEADERS + 1):
        line = _read_line(stream)
        if line is None:
            raise BadRequest("the connection ended inside the headers")
        if not line:
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        # Also refuses a folded line and a space before the colon (RFC 9112, 5.1 and 5.2).
        if not colon or not TOKEN.fullmatch(name):
            raise BadRequest("malformed header")
        name, value = name.lower(), value.strip(" \t")
        if "\0" in value or "\r" in value:
            raise BadRequest("malformed header value")
        if name in ("content-length", "host") and headers.get(name, value) != value:
            raise BadRequest(f"two different {name} headers")
        if name in headers and name not in ("content-length", "host"):
            value = f"{headers[name]}, {value}"
        headers[name] = value
    raise BadRequest("too many headers", 431)


def _read_body(stream: BinaryIO, headers: dict[str, str], proceed: Any) -> bytes:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None and length is not None:
        raise BadRequest("both Content-Length and Transfer-Encoding")
    if coding is not None and coding.lower() != "chunked":
        raise BadRequest("unknown transfer coding", 501)
    if length is not None and not (length.isascii() and length.isdigit()):
        raise BadRequest("malformed Content-Length")
    if length is not None and (len(length) > 12 or int(length) > MAX_BODY):
        raise BadRequest("body too large", 413)
    if proceed is not None and headers.get("expect", "").lower() == "100-continue":
        proceed()
    if coding is not None:
        return _read_chunks(stream)
    return _read_exactly(stream, int(length)) if length else b""


def _read_chunks(stream: BinaryIO) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while True:
        size_text = (_read_line(stream) or b"").split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size_text):
            raise BadRequest("malformed chunk")
        size = int(size_text, 16)
        total += size
        if total > MAX_BODY:
            raise BadRequest("body too large", 413)
        if size == 0:
            _read_headers(stream)
            return b"".join(chunks)
        chunks.append(_read_exactly(stream, size))
        if _read_line(stream) != b"":
            raise BadRequest("malformed chunk")


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise BadRequest("the connection ended inside the body")
    return body
