"""Error views: refused and failed requests, and outages, which are answered with 503."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from portal.outages import RETRY_AFTER_SECONDS, is_outage


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a failed CSRF check. reason: Django's, for its log."""
    return render(request, "403_csrf.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error with 500, or with 503 while database or cache are not available."""
    if not is_outage(sys.exception()):
        return defaults.server_error(request)
    answer = defaults.server_error(request, template_name="503.html")
    answer.status_code = 503
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
