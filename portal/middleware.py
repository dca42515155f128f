"""Middleware: answers probes before anything else, as they come without our host name and without TLS."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from .views import health

PROBES = {"/healthz": health.healthz, "/readyz": health.readyz}


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer /healthz and /readyz whatever the Host header says; leave the rest alone."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path)
        return probe(request) if probe else get_response(request)

    return middleware
