"""What was asked, granted, used, and is that all?"""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.access import Permission, require
from portal.models import Domain

from ..connections import get_last_connection
from ..consent import list_calls
from ..forms import LedgerFilterForm
from ..health import describe
from ..models import LedgerEntry
from ..uses import count_calls, count_refused, list_days, summarise

PER_PAGE = 50


@require(Permission.VIEW_LEDGER)
@require_safe
def ledger(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Every call and every privileged act, under the permission that allowed it."""
    connection = get_last_connection(domain)
    uses = summarise(domain, connection)
    form = LedgerFilterForm(request.GET, scopes=[use.scope for use in uses], zone=domain.time_zone)
    entries = LedgerEntry.objects.filter(domain=domain)
    page = Paginator(form.narrow(entries), PER_PAGE).get_page(request.GET.get("page"))
    days = list_days(domain)
    calls, writes = count_calls(days)
    context = {
        "here": "ledger",
        "connection": connection,
        "condition": describe(connection),
        "uses": uses,
        "call_count": len(list_calls()),
        "requested": sum(use.is_requested for use in uses),
        "granted": sum(use.is_requested and use.is_granted for use in uses),
        "used": sum(use.is_requested and use.calls > 0 for use in uses),
        "extra": sum(not use.is_requested for use in uses),
        "calls": calls,
        "writes": writes,
        "refused": count_refused(domain),
        "form": form,
        "page_obj": page,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render(request, "integrations/ledger.html", context)


@require(Permission.VIEW)
@require_safe
def ledger_calls(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The calls this portal can make, from the very table that the client obeys."""
    calls = list_calls()
    writes = sum(call.verb == "write" for call in calls)
    return render(
        request, "integrations/ledger_calls.html", {"here": "ledger", "calls": calls, "writes": writes}
    )
