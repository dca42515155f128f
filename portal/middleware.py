"""Middleware: answers probes and metrics first, traces requests, and redirects GET requests of form-only addresses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse

from portal.counters import COUNTERS
from portal.error_reports import name_view
from portal.trace import get_facts, traced
from signatures.serving.refresher import REFRESHER

from .views import health, metrics

log = logging.getLogger(__name__)

PROBES = {
    "/healthz": health.healthz,
    "/readyz": health.readyz,
    "/readyz/web": health.readyz_web,
    "/readyz/worker": health.readyz_worker,
    "/metrics": metrics.metrics,
}


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer PROBES whatever the Host header says, as machines inside ask for them; leave the rest alone."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        return probe(request) if probe else get_response(request)

    return middleware


class _TracedStream:
    """The pieces of a streamed answer, each made under the id of its request; `tell` is called at their end."""

    def __init__(self, pieces: Iterable[bytes], tell: Callable[[], None]) -> None:
        self._pieces, self._tell, self._facts = iter(pieces), tell, get_facts()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with traced(**self._facts):
            return next(self._pieces)

    def close(self) -> None:
        """Called by the server once, also where the client went away."""
        with traced(**self._facts):
            self._tell()


def trace_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Give each request an id, answered as X-Request-ID; count and log it without its address, which may hold names."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        REFRESHER.ensure_running()
        with traced() as trace:
            response = get_response(request)
            response["X-Request-ID"] = trace
            if isinstance(response, StreamingHttpResponse):
                pieces = cast("Iterator[bytes]", response.streaming_content)  # async ones are not served here
                response.streaming_content = _TracedStream(pieces, lambda: _tell(request, response, started))
            else:
                _tell(request, response, started)
        return response

    return middleware


def _tell(request: HttpRequest, response: HttpResponseBase, started: float) -> None:
    """Count and log a request that began at `started`, by the clock that measures."""
    seconds = time.perf_counter() - started
    match, status, view = request.resolver_match, str(response.status_code), name_view(request)
    counted = "admin" if match and match.namespace == "admin" else view
    COUNTERS.add("countersign_http_requests_total", counted, status)
    COUNTERS.observe("countersign_http_request_duration_seconds", counted, seconds=seconds)
    facts = {
        "view": view,
        "method": request.method,
        "status": response.status_code,
        "milliseconds": round(seconds * 1000),
    }
    log.info("%(method)s %(view)s: %(status)s in %(milliseconds)s ms", facts, extra=facts)


# What is below these answers people; what a provider or a program calls keeps its 405.
PAGES = ("domains/<str:domain>/", "manage/domains/<str:domain>/")
# Forms whose page is not found by leaving out the last parts of their address.
PAGES_OF_FORMS = {
    "portal:invitation_resend": "portal:members",
    "portal:invitation_withdraw": "portal:members",
}


def show_page_of_form(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Redirect a GET of an address that only accepts POST to the page with the form.

    After an error the address bar holds the form's address; Enter there, a bookmark or a sign-in that
    returns to it would end on the browser's own blank page.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        match = request.resolver_match
        is_form = response.status_code == 405 and request.method in ("GET", "HEAD")
        if not is_form or match is None or not match.route.startswith(PAGES):
            return response
        return redirect(_find_page(request.path, match.view_name, match.kwargs["domain"]))

    return middleware


def _find_page(path: str, view_name: str, domain: str) -> str:
    """Return the address of the nearest page above a form's address."""
    if view_name in PAGES_OF_FORMS:
        return reverse(PAGES_OF_FORMS[view_name], args=[domain])
    while True:
        path = path.rstrip("/").rpartition("/")[0] + "/"
        try:
            resolve(path)
        except Resolver404:
            continue
        return path
