"""Text views: a page for each signature that was written or found, by its digest."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from portal.access import Permission, require
from portal.models import Domain
from signatures.models import SignatureHtml
from signatures.rendering.plaintext import plain_text

from .common import VIEWS
from .previews import show_signature


@require(Permission.VIEW)
@require_safe
def kept_text(request: HttpRequest, domain: Domain, sha256: str) -> HttpResponse:
    """Show a stored signature with its source and plain text."""
    kept = get_object_or_404(SignatureHtml, domain=domain, sha256=sha256)
    view = request.GET.get("view", "light")
    context = {"kept": kept, "view": view if view in VIEWS else "light", "text": plain_text(kept.html)}
    return render(request, "signatures/deliveries/kept_text.html", context)


@require(Permission.VIEW)
@require_safe
def kept_text_frame(request: HttpRequest, domain: Domain, sha256: str) -> HttpResponse:
    """Show the signature in a sandboxed document."""
    kept = get_object_or_404(SignatureHtml, domain=domain, sha256=sha256)
    return show_signature(kept.html, request.GET.get("view", "light"))
