"""Serving middleware: answers requests for banner images and clicks, of senders and of decisions, and for media.

It comes after the middleware that enforces TLS and before all others: no session, no cookie, no login,
and no personal data in the answer. A redirect leads to a stored URL that was looked up by id; no part of it comes
from the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from portal.client_address import get_client_address
from portal.counters import COUNTERS
from portal.models import Domain
from signatures.analytics.spool import Event, count, cut_address
from signatures.decisions.tokens import read_token
from signatures.media.addresses import PREFIX
from signatures.media.encoding import PIXEL, PNG
from signatures.models import EventKind

from . import cache, recipient, refresher
from .domain_cache import SenderRef, ServedBanner
from .image_cache import ImageFile
from .media import answer_media
from .responses import (
    check_host,
    is_unchanged,
    refuse_method,
    respond,
    respond_unavailable,
    respond_unknown,
)

_ADDRESS = re.compile(
    r"/(?P<kind>[bc])/(?:d/(?P<token>[A-Za-z0-9_-]{12,22})|(?P<key>[A-Za-z0-9_-]{22}))"
    r"(?P<double>@2x)?(?P<extension>\.(?:png|jpg|gif))?"
)
# Requested again each time, and mostly answered with 304: image proxies of mail services then see a change at once.
_FRESH = "no-cache, max-age=0, must-revalidate"
_EMPTY = ImageFile(PIXEL, PNG, '"pixel"')


def answer_banners(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer requests under /b/, /c/ and /m/; pass the rest on."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        prefix = request.path_info[:3]
        answer = _ANSWERS.get(prefix)
        if answer is None:
            return get_response(request)
        refresher.REFRESHER.ensure_running()
        response = answer(request)
        COUNTERS.add("countersign_banner_requests_total", _KINDS[prefix], str(response.status_code))
        return response

    return middleware


def _answer(request: HttpRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return refuse_method(request)
    check_host(request)
    found = _ADDRESS.fullmatch(request.path_info)
    is_image = request.path_info[1] == "b"
    if found is None or is_image is not bool(found["extension"]) or (found["double"] and not is_image):
        return respond_unknown(request, is_image)
    try:
        token, key = found["token"], found["key"]
        requested = _find_by_decision(token) if token else _find_by_sender(request, key)
        if requested is None:
            return respond_unknown(request, is_image)
        if is_image:
            return _serve_image(request, requested, is_double=bool(found["double"]))
        return _redirect(request, requested)
    except Domain.DoesNotExist:
        return respond_unknown(request, is_image)
    except DatabaseFailure:
        return respond_unavailable(request)


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
    if is_unchanged(request, image.etag, banner.since):
        return respond(request, 304, b"", headers)
    headers["Content-Type"] = image.media_type
    return respond(request, 200, image.content, headers)


def _redirect(request: HttpRequest, requested: _Requested) -> HttpResponse:
    if not requested.banner.link:
        return respond_unknown(request, is_image=False)
    _count(request, requested, EventKind.CLICK)
    headers = {"Location": requested.banner.link, "Cache-Control": "no-store"}
    return respond(request, 302, b"", headers)


def _get_network(request: HttpRequest) -> str:
    return cut_address(get_client_address(request))


def _is_from_portal(meta: Mapping[str, str]) -> bool:
    """Return whether the request comes from one of our own pages, or from somebody signed in to the portal."""
    if meta.get("HTTP_SEC_FETCH_SITE") == "same-origin":
        return True
    cookies, referrer = meta.get("HTTP_COOKIE"), meta.get("HTTP_REFERER")
    if cookies and f"{settings.SESSION_COOKIE_NAME}=" in cookies:
        return True
    return referrer is not None and f"{referrer}/".startswith(f"{settings.PUBLIC_URL}/")


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


_ANSWERS = {"/b/": _answer, "/c/": _answer, PREFIX: answer_media}
_KINDS = {"/b/": "image", "/c/": "click", PREFIX: "media"}
