"""Health views: whether this web process answers, and whether it is ready to serve."""

from __future__ import annotations

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
    """Report whether this web process can serve, with 503 where not; the worker's state does not count."""
    found = get_readiness()
    answer = JsonResponse(
        found.as_dict(), status=200 if found.is_ready else 503, headers={"Cache-Control": "no-store"}
    )
    if not found.is_ready:
        # Said already, once. Django would log an error for each probe, and mail it to ERROR_EMAILS.
        log_response("Not ready: %s", found.missing, response=answer, request=request, level="debug")
    return answer
