"""Responses: how what stands outside the portal's pages is answered, without cookies and the same to everybody."""

from __future__ import annotations

from collections.abc import ItemsView
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import cast

from django.http import HttpRequest, HttpResponse
from django.http.response import ResponseHeaders

from signatures.media.encoding import PIXEL, PNG

from . import cache

RETRY_AFTER_SECONDS = 30
MOST_HOSTS = 100
_PLAIN = "text/plain; charset=utf-8"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
_NOT_FOUND = b"<!doctype html><html lang=en><title>Not found</title><p>There is nothing here.</p></html>"


def check_host(request: HttpRequest) -> None:
    """Raise DisallowedHost for a host name that is not ours. Each name is checked once."""
    host, known = request.META.get("HTTP_HOST", ""), cache.CACHE.hosts
    if host in known:
        return
    request.get_host()
    if cache.CACHE.is_refreshed and len(known) < MOST_HOSTS:
        known.add(host)


def refuse_method(request: HttpRequest) -> HttpResponse:
    return respond(request, 405, b"", {"Allow": "GET, HEAD", "Cache-Control": "no-store"})


def respond_unavailable(request: HttpRequest) -> HttpResponse:
    """Answer 503: the database is away, and what was asked for is not in memory."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
    return respond(request, 503, b"", headers)


def respond_unknown(request: HttpRequest, is_image: bool) -> HttpResponse:
    """Answer 404 with a transparent pixel: for a page, mail clients would show a broken image."""
    if is_image:
        headers = {"Content-Type": PNG, "Cache-Control": "public, max-age=60"}
        return respond(request, 404, PIXEL, headers)
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return respond(request, 404, _NOT_FOUND, headers)


def respond(request: HttpRequest, status: int, content: bytes, headers: dict[str, str]) -> HttpResponse:
    response = HttpResponse(b"" if request.method == "HEAD" else content, status=status, content_type=_PLAIN)
    response.headers = _make_headers(status, len(content), tuple(headers.items())).for_response()
    return response


class _CheckedHeaders(ResponseHeaders):
    """Headers that Django checked and encoded once, where it does so for each response otherwise.

    That, and reading them by way of a Mapping's own methods, took a fifth of a banner's time.
    """

    def for_response(self) -> _CheckedHeaders:
        """Return the same headers for one response, which may get further ones."""
        made = _CheckedHeaders({})
        made._store = self._store.copy()
        return made

    def items(self) -> ItemsView[str, str]:
        return cast("ItemsView[str, str]", self._store.values())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._store


@lru_cache(maxsize=2048)
def _make_headers(status: int, length: int, headers: tuple[tuple[str, str], ...]) -> _CheckedHeaders:
    if status == 304:
        return _CheckedHeaders(_HEADERS | dict(headers))
    return _CheckedHeaders(
        {"Content-Type": _PLAIN, **_HEADERS, **dict(headers), "Content-Length": str(length)}
    )


def is_unchanged(request: HttpRequest, etag: str, since: float | None = None) -> bool:
    """Return whether the client has the current image. Its ETag counts before its date."""
    tags = request.META.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return tags.strip() == "*" or etag in tags
    date = request.META.get("HTTP_IF_MODIFIED_SINCE")
    if date is None or since is None:
        return False
    try:
        return parsedate_to_datetime(date).timestamp() >= int(since)
    except (ValueError, TypeError, OverflowError):
        return False
