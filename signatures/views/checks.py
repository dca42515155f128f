"""Checks: what the code editor shows on its lines while somebody types."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from portal.access import Permission, require
from portal.models import Domain
from signatures.authoring.checks import check_source
from signatures.models import Template
from signatures.tasks import count_empty_soon


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_checks(request: HttpRequest, domain: Domain, pk: int | None = None) -> JsonResponse:
    """Return the findings of a source that nobody saved yet, as JSON. pk: of the template that is edited."""
    template = get_object_or_404(Template, domain=domain, pk=pk, archived_at=None) if pk is not None else None
    count_empty_soon(domain)
    findings = [
        {
            "severity": one.severity.value,
            "code": one.code,
            "line": one.line,
            "column": one.column,
            "message": one.sentence,
            "remedy": one.remedy,
            "block": one.block,
            "path": one.path,
            "people": one.people,
            "list": _get_people_url(domain, template, one.field),
        }
        for one in check_source(domain, request.POST.get("source", ""), template)
    ]
    response = JsonResponse({"findings": findings})
    response["Cache-Control"] = "no-store"
    return response


def _get_people_url(domain: Domain, template: Template | None, field: str) -> str:
    """Return the address of the senders with a template whom a field of senders is empty for, or ""."""
    if template is None or not field.startswith("sender."):
        return ""
    asked = urlencode({"template": str(template.pk), "empty": field})
    return f"{reverse('signatures:senders', args=[domain.name])}?{asked}"
