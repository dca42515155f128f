"""Pages of the assumptions: compare what Outreach answers with what the portal relies on, and offer a report."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.connection.assumptions import check_assumptions, describe, get_last_report
from integrations.connection.lifecycle import get_connection, get_last_connection
from portal.access import Permission, get_actor, require
from portal.models import Domain

from ..errors import IntegrationError


@require(Permission.VIEW_LEDGER)
@require_safe
def assumptions(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The last check of this connection, each assumption with what was seen."""
    last = get_last_report(get_last_connection(domain))
    context = {
        "last": last,
        "outcome": describe(last.findings) if last else "",
        "is_connected": get_connection(domain) is not None,
    }
    return render(request, "integrations/connection/assumptions.html", context)


@require(Permission.CONNECT)
@require_POST
def check(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Ask Outreach now. Nothing is written there."""
    connection = get_connection(domain)
    if connection is None:
        messages.error(request, "Nothing was checked: this domain is not connected to Outreach.")
    else:
        try:
            row = check_assumptions(connection, actor=get_actor(request).email)
        except IntegrationError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"Checked: {describe(row.findings)}.")
    return redirect("integrations:outreach_assumptions", domain.name)


@require(Permission.VIEW_LEDGER)
@require_safe
def report(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The last check's report as a file, without a personal value in it."""
    last = get_last_report(get_last_connection(domain))
    if last is None:
        raise Http404("Not checked yet.")
    response = HttpResponse(
        json.dumps(last.report, indent=2, ensure_ascii=False) + "\n", content_type="application/json"
    )
    response["Content-Disposition"] = (
        f'attachment; filename="assumptions-{last.created_at:%Y%m%d-%H%M%S}.json"'
    )
    return response
