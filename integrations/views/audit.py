"""Page of the audit of all domains, for operators."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from integrations.catalogue import list_scopes
from portal.access import require_staff
from portal.models import Domain

from ..audit import GRANTS, list_domain_audits, list_grants
from ..models import LedgerEntry

PER_PAGE = 50
NEWEST = 20


@require_staff
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """Who granted what and when, what of it differs from what was asked, and whether each ledger is whole."""
    words = request.GET.get("q", "").strip()
    domains = Domain.objects.filter(name__icontains=words) if words else Domain.objects.all()
    page = Paginator(domains, PER_PAGE).get_page(request.GET.get("page"))
    acts = LedgerEntry.objects.exclude(action="call").order_by("-id")
    grants = LedgerEntry.objects.filter(action__in=GRANTS).order_by("-id")
    if words:
        acts, grants = acts.filter(domain_name__icontains=words), grants.filter(domain_name__icontains=words)
    context = {
        "rows": list_domain_audits(list(page)),
        "page_obj": page,
        "q": words,
        "asked_for": [scope.name for scope in list_scopes()],
        "grants": list_grants(grants[:NEWEST]),
        "acts": acts[:NEWEST],
    }
    return render(request, "integrations/ledger/audit.html", context)
