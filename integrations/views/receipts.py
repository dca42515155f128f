"""Pages of the receipt of a disconnect: to read, print, download and check."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from integrations.crypto.signing import export_pem
from integrations.disconnect.receipts import make_file
from integrations.signature_service import get_signature_service
from portal.access import Permission, require
from portal.models import Domain
from portal.reauth import recently_authenticated

from ..models import Receipt


@require(Permission.VIEW_LEDGER)
@require_safe
def receipt(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The receipt as a page that prints well, with the key that signed it."""
    found = get_object_or_404(Receipt, pk=pk, domain=domain)
    content = found.content
    held = get_signature_service().find_held(domain, found.connection_ref)
    context: dict[str, Any] = {
        "receipt": found,
        "content": content,
        "left": [
            each | {"path": held.get(each["id"], "")} for each in content["originals"]["left_as_they_are"]
        ],
        "at": {
            "authorised": _read(content["authorised"]["at"]),
            "asked_for": _read(content["asked_for"]["at"]),
            "last": _read(content["calls"]["last"]["at"]) if content["calls"]["last"] else None,
            "afterwards": _read(content["call_afterwards"]["at"]),
            "erased": _read(content["tokens"]["erased_at"]),
        },
        "public_key_pem": export_pem(found.signature["public_key"]) if found.is_signed else "",
    }
    return render(request, "integrations/disconnect/receipt.html", context)


def _read(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@require(Permission.VIEW_LEDGER)
@recently_authenticated(returns_to="integrations:outreach", reading=True)
@require_safe
def receipt_file(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The receipt as a file, with its signature; `verifyreceipt` checks it."""
    found = get_object_or_404(Receipt, pk=pk, domain=domain)
    if not found.is_signed:
        raise Http404("Not signed yet.")
    name = f"receipt-{found.domain_name}-{found.created_at:%Y-%m-%d}.json"
    response = HttpResponse(make_file(found), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
