"""Serving middleware: answers requests for banner images and clicks, of senders and of decisions.

It comes after the middleware that enforces TLS and before all others: no session, no cookie, no login,
and no personal data in the answer. A redirect leads to a stored URL that was looked up by id; no part of it comes
from the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from portal.client_address import get_client_address
from portal.models import Domain
from signatures.analytics.spool import Event, count, cut_address
from signatures.decisions.tokens import read_token
from signatures.media.encoding import PIXEL, PNG
from signatures.models import EventKind

from . import cache, recipient, refresher
from .domain_cache import SenderRef, ServedBanner
from .image_cache import ImageFile

_ADDRESS = re.compile(
    r"/(?P<kind>[bc])/(?:d/(?P<token>[A-Za-z0-9_-]{12,22})|(?P<key>[A-Za-z0-9_-]{22}))"
    r"(?P<double>@2x)?(?P<extension>\.(?:png|jpg|gif))?"
)
RETRY_AFTER_SECONDS = 30
MOST_HOSTS = 100
# Requested again each time, and mostly answered with 304: image proxies of mail services then see a change at once.
_FRESH = "no-cache, max-age=0, must-revalidate"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
_EMPTY = ImageFile(PIXEL, PNG, '"pixel"')
_NOT_FOUND = b"<!doctype html><html lang=en><title>Not found</title><p>There is nothing here.</p></html>"


def answer_banners(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer requests under /b/ and /c/; pass the rest on."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path_info[:3] not in ("/b/", "/c/"):
            return get_response(request)
        return _answer(request)

    return middleware


def _answer(request: HttpRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return _respond(request, 405, b"", {"Allow": "GET, HEAD", "Cache-Control": "no-store"})
    _check_host(request)
    found = _ADDRESS.fullmatch(request.path_info)
    is_image = request.path_info[1] == "b"
    if found is None or is_image is not bool(found["extension"]) or (found["double"] and not is_image):
        return _respond_unknown(request, is_image)
    refresher.REFRESHER.ensure_running()
    try:
        token, key = found["token"], found["key"]
        requested = _find_by_decision(token) if token else _find_by_sender(request, key)
        if requested is None:
            return _respond_unknown(request, is_image)
        if is_image:
            return _serve_image(request, requested, is_double=bool(found["double"]))
        return _redirect(request, requested)
    except Domain.DoesNotExist:
        return _respond_unknown(request, is_image)
    except DatabaseFailure:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
        return _respond(request, 503, b"", headers)


def _check_host(request: HttpRequest) -> None:
    """Raise DisallowedHost for a host name that is not ours. Each name is checked once."""
    host, known = request.META.get("HTTP_HOST", ""), cache.CACHE.hosts
    if host in known:
        return
    request.get_host()
    if cache.CACHE.is_refreshed and len(known) < MOST_HOSTS:
        known.add(host)


class _Requested(NamedTuple):
    """The requested banner, and its sender."""

    sender: SenderRef
    banner: ServedBanner
    decision_id: int | None = None
    recipient_key: str = ""


def _find_by_sender(request: HttpRequest, key: str) -> _Requested | None:
    memory = cache.CACHE
    sender = memory.find_sender(key)
    if sender is None:
        return None
    query = request.META.get("QUERY_STRING", "")
    if query and (address := recipient.read_address(query)):
        domain = memory.get_domain(sender.domain_id)
        known = (
            recipient.find_facts(domain, address, network=_get_network(request)) if domain.variable else None
        )
        if known is not None:
            return _Requested(sender, memory.get_banner_for(sender, known), recipient_key=known.key)
    return _Requested(sender, memory.get_banner(sender))


def _find_by_decision(token: str) -> _Requested | None:
    decision_id = read_token(token)
    decision = cache.CACHE.find_decision(decision_id) if decision_id is not None else None
    if decision is None:
        return None
    return _Requested(decision.sender, cache.CACHE.get_decided(decision), decision_id=decision_id)


def _serve_image(request: HttpRequest, requested: _Requested, *, is_double: bool) -> HttpResponse:
    banner = requested.banner
    image = None
    if banner.image_id is not None:
        image = cache.CACHE.images.get(banner.image_id, is_double=is_double)
    if image is None:
        image = _EMPTY
    else:
        _count(request, requested, EventKind.IMAGE)
    headers = {
        "ETag": image.etag,
        "Last-Modified": banner.modified,
        "Cache-Control": _FRESH,
    }
    if _is_unchanged(request, image.etag, banner.since):
        return _respond(request, 304, b"", headers)
    headers["Content-Type"] = image.media_type
    return _respond(request, 200, image.content, headers)


def _redirect(request: HttpRequest, requested: _Requested) -> HttpResponse:
    if not requested.banner.link:
        return _respond_unknown(request, is_image=False)
    _count(request, requested, EventKind.CLICK)
    headers = {"Location": requested.banner.link, "Cache-Control": "no-store"}
    return _respond(request, 302, b"", headers)


def _respond_unknown(request: HttpRequest, is_image: bool) -> HttpResponse:
    """Answer 404 with a transparent pixel: for a page, mail clients would show a broken image."""
    if is_image:
        headers = {"Content-Type": PNG, "Cache-Control": "public, max-age=60"}
        return _respond(request, 404, PIXEL, headers)
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return _respond(request, 404, _NOT_FOUND, headers)


def _respond(request: HttpRequest, status: int, content: bytes, headers: dict[str, str]) -> HttpResponse:
    response = HttpResponse(
        b"" if request.method == "HEAD" else content,
        status=status,
        content_type=headers.pop("Content-Type", "text/plain; charset=utf-8"),
        headers=_HEADERS | headers,
    )
    if status == 304:
        del response["Content-Type"]
    else:
        response["Content-Length"] = str(len(content))
    return response


def _is_unchanged(request: HttpRequest, etag: str, since: float) -> bool:
    """Return whether the client has the current image. Its ETag counts before its date."""
    tags = request.META.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return tags.strip() == "*" or etag in tags
    date = request.META.get("HTTP_IF_MODIFIED_SINCE")
    if date is None:
        return False
    try:
        return parsedate_to_datetime(date).timestamp() >= int(since)
    except (ValueError, TypeError, OverflowError):
        return False


def _get_network(request: HttpRequest) -> str:
    return cut_address(get_client_address(request))


def _is_from_portal(meta: Mapping[str, str]) -> bool:
    """Return whether the request comes from one of our own pages, or from somebody signed in to the portal."""
    if meta.get("HTTP_SEC_FETCH_SITE") == "same-origin":
        return True
    if f"{settings.SESSION_COOKIE_NAME}=" in meta.get("HTTP_COOKIE", ""):
        return True
    referrer = meta.get("HTTP_REFERER", "")
    return referrer == settings.PUBLIC_URL or referrer.startswith(f"{settings.PUBLIC_URL}/")


def _count(request: HttpRequest, requested: _Requested, kind: EventKind) -> None:
    """Count an impression or a click, but none of the portal's own pages."""
    meta = request.META
    if meta.get("QUERY_STRING") == "preview" or _is_from_portal(meta):
        return
    sender, banner = requested.sender, requested.banner
    count(
        Event(
            kind=kind.value,
            method=request.method or "",
            domain_id=sender.domain_id,
            sender_id=sender.sender_id or None,
            group_id=sender.group_id,
            campaign_id=banner.campaign_id,
            banner_id=banner.banner_id,
            decision_id=requested.decision_id,
            recipient_key=requested.recipient_key if kind is EventKind.IMAGE else "",
            visitor=get_client_address(request),
            agent=meta.get("HTTP_USER_AGENT", ""),
        )
    )
