"""The pages without login: a sender's banner and its link, and those of one decision.

Answered by a middleware behind the one that insists on TLS and before all others: no session, no cookie, no log-in,
and nothing in the answer about anybody. A redirect leads to a stored address that was looked up by id; nothing in
the request has a part in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from portal.client_address import get_client_address
from portal.models import Domain
from signatures.analytics.spool import Event, count, cut_address
from signatures.campaigns.images import PIXEL, PNG
from signatures.campaigns.selection import NOTHING, Choice
from signatures.decisions.tokens import read_token
from signatures.models import EventKind

from . import cache, recipient, refresher
from .cache import Picture
from .domain_cache import Exhibit, Seen

_ADDRESS = re.compile(
    r"/(?P<kind>[bc])/(?:d/(?P<token>[A-Za-z0-9_-]{12,22})|(?P<key>[A-Za-z0-9_-]{22}))"
    r"(?P<double>@2x)?(?P<extension>\.(?:png|jpg|gif))?"
)
RETRY_AFTER_SECONDS = 30
MOST_HOSTS = 100
# Asked for anew each time, and mostly answered with 304: proxies of mail services then see a change at once.
_FRESH = "no-cache, max-age=0, must-revalidate"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
_EMPTY = Picture(PIXEL, PNG, '"pixel"')
_NOT_FOUND = b"<!doctype html><html lang=en><title>Not found</title><p>There is nothing here.</p></html>"


def answer_banners(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer what lies under /b/ and /c/; leave the rest alone."""

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
    is_picture = request.path_info[1] == "b"
    if found is None or is_picture is not bool(found["extension"]) or (found["double"] and not is_picture):
        return _say_unknown(request, is_picture)
    refresher.KEEPER.ensure()
    try:
        subject = _find_decided(found["token"]) if found["token"] else _find_shown(request, found["key"])
        if subject is None:
            return _say_unknown(request, is_picture)
        if is_picture:
            return _show_picture(request, subject, is_double=bool(found["double"]))
        return _redirect(request, subject)
    except Domain.DoesNotExist:
        return _say_unknown(request, is_picture)
    except DatabaseFailure:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
        return _respond(request, 503, b"", headers)


def _check_host(request: HttpRequest) -> None:
    """Raise DisallowedHost where the name is none of ours. A name is looked at once."""
    host, known = request.META.get("HTTP_HOST", ""), cache.SHOWCASE.hosts
    if host in known:
        return
    request.get_host()
    if cache.SHOWCASE.is_kept and len(known) < MOST_HOSTS:
        known.add(host)


class _Subject:
    """Whose banner was asked for, and what it is."""

    __slots__ = ("decision_id", "exhibit", "recipient_key", "seen")

    def __init__(
        self, seen: Seen, exhibit: Exhibit, *, decision_id: int | None = None, recipient_key: str = ""
    ) -> None:
        self.seen = seen
        self.exhibit = exhibit
        self.decision_id = decision_id
        self.recipient_key = recipient_key


def _find_shown(request: HttpRequest, key: str) -> _Subject | None:
    case = cache.SHOWCASE
    seen = case.find_sender(key)
    if seen is None:
        return None
    query = request.META.get("QUERY_STRING", "")
    if query and (address := recipient.read_address(query)):
        shelf = case.get_shelf(seen.domain_id)
        known = recipient.recall(shelf, address, network=_get_network(request)) if shelf.variable else None
        if known is not None:
            return _Subject(seen, case.get_exhibit_for(seen, known), recipient_key=known.key)
    return _Subject(seen, case.get_exhibit(seen))


def _find_decided(token: str) -> _Subject | None:
    decision_id = read_token(token)
    found = cache.SHOWCASE.find_decision(decision_id) if decision_id is not None else None
    if found is None:
        return None
    seen, choice = found
    return _Subject(seen, cache.SHOWCASE.get_decided(seen, choice), decision_id=decision_id)


def _show_picture(request: HttpRequest, subject: _Subject, *, is_double: bool) -> HttpResponse:
    exhibit = subject.exhibit
    picture = None
    if exhibit.image_id is not None:
        picture = cache.SHOWCASE.get_picture(exhibit.image_id, is_double=is_double)
    choice = exhibit.choice
    if picture is None:
        picture, choice = _EMPTY, NOTHING
    if picture is not _EMPTY:
        _count(request, subject, choice, EventKind.IMAGE)
    headers = {
        "ETag": picture.etag,
        "Last-Modified": exhibit.modified,
        "Cache-Control": _FRESH,
    }
    if _is_unchanged(request, picture.etag, exhibit.since):
        return _respond(request, 304, b"", headers)
    headers["Content-Type"] = picture.media_type
    return _respond(request, 200, picture.content, headers)


def _redirect(request: HttpRequest, subject: _Subject) -> HttpResponse:
    if not subject.exhibit.link:
        return _say_unknown(request, is_picture=False)
    _count(request, subject, subject.exhibit.choice, EventKind.CLICK)
    headers = {"Location": subject.exhibit.link, "Cache-Control": "no-store"}
    return _respond(request, 302, b"", headers)


def _say_unknown(request: HttpRequest, is_picture: bool) -> HttpResponse:
    """A mail client shows the pixel of a 404 as nothing, where it would show a broken picture for a page."""
    if is_picture:
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
    """Return whether the reader's program holds what it would get. Its tag counts for more than its date."""
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


def _count(request: HttpRequest, subject: _Subject, choice: Choice, kind: EventKind) -> None:
    """A look from the portal's own pages is none."""
    meta = request.META
    if meta.get("QUERY_STRING") == "preview":
        return
    seen = subject.seen
    count(
        Event(
            kind=kind.value,
            method=request.method or "",
            domain_id=seen.domain_id,
            sender_id=seen.sender_id or None,
            group_id=seen.group_id,
            campaign_id=choice.campaign_id,
            banner_id=choice.banner_id,
            decision_id=subject.decision_id,
            recipient_key=subject.recipient_key if kind is EventKind.IMAGE else "",
            reader=get_client_address(request),
            agent=meta.get("HTTP_USER_AGENT", ""),
        )
    )
