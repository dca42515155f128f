"""Page of the least-privilege test: runs it now, without a connection."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from integrations.connection.proof import get_last_proof, list_attempts, prove
from portal.access import Permission, get_actor, require
from portal.models import Domain


@require(Permission.VIEW_LEDGER)
@require_http_methods(["GET", "HEAD", "POST"])
def proof(request: HttpRequest, domain: Domain) -> HttpResponse:
    """What would be attempted, and when that was last done; a POST attempts it and shows what came of each."""
    found = None
    if request.method == "POST":
        found = prove(domain, actor=get_actor(request).email)
    context: dict[str, Any] = {
        "proof": found,
        "attempts": list_attempts(),
        "last": get_last_proof(domain),
    }
    return render(request, "integrations/permissions/least_privilege_test.html", context)
