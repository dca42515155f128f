"""Health views: whether this web process answers, whether it can serve, and whether workers are at work."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.log import log_response
from django.views.decorators.http import require_safe

from portal.operations.readiness import get_readiness


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer without any check."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Report on this web process and on the workers, with 503 where either is not ready."""
    return _answer(request, get_readiness().both)


@require_safe
@login_not_required
def readyz_web(request: HttpRequest) -> JsonResponse:
    """Report whether this web process can serve, with 503 where not; what load balancers ask."""
    return _answer(request, get_readiness().web)


@require_safe
@login_not_required
def readyz_worker(request: HttpRequest) -> JsonResponse:
    """Report whether background workers are at work, on whatever machine, with 503 where not."""
    return _answer(request, get_readiness().worker)


def _answer(request: HttpRequest, found: dict[str, Any]) -> JsonResponse:
    answer = JsonResponse(found, status=200 if found["ready"] else 503, headers={"Cache-Control": "no-store"})
    if not found["ready"]:
        # Said already, once. Django would log an error for each probe, and mail it to ERROR_EMAILS.
        log_response("Not ready: %s", found["faults"], response=answer, request=request, level="debug")
    return answer
