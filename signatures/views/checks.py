"""Checks: what the code editor shows on its lines while somebody types."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from portal.access import Permission, require
from portal.models import Domain
from signatures.authoring.checks import check_source
from signatures.senders.vocabulary import get_vocabulary


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_checks(request: HttpRequest, domain: Domain) -> JsonResponse:
    """Return the findings of a source that nobody saved yet, as JSON."""
    findings = [
        {
            "severity": one.severity.value,
            "code": one.code,
            "line": one.line,
            "column": one.column,
            "message": one.sentence,
            "remedy": one.remedy,
        }
        for one in check_source(domain, request.POST.get("source", ""), get_vocabulary(domain))
    ]
    response = JsonResponse({"findings": findings})
    response["Cache-Control"] = "no-store"
    return response
