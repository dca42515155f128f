"""Metrics view: the whole installation's metrics for an operator's Prometheus, which shows a token."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseFailure
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from portal.metrics.exposition import write_metrics


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer 404 where no METRICS_TOKEN is set, 401 without it, 503 where the database does not answer."""
    headers = {"Cache-Control": "no-store"}
    if not settings.METRICS_TOKEN:
        return HttpResponse("Not found\n", "text/plain", status=404, headers=headers)
    if not constant_time_compare(
        request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"
    ):
        headers["WWW-Authenticate"] = "Bearer"
        return HttpResponse("Show METRICS_TOKEN.\n", "text/plain", status=401, headers=headers)
    try:
        return HttpResponse(write_metrics(), CONTENT_TYPE_PLAIN_0_0_4, headers=headers)
    except DatabaseFailure:
        return HttpResponse("The database does not answer.\n", "text/plain", status=503, headers=headers)
