"""Release discard: puts drafts back to the live release, after asking once."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.access import Permission, get_actor, may, require
from portal.models import Domain
from signatures.authoring.discard import DiscardRefused, discard_drafts
from signatures.releases.candidate import build_candidate
from signatures.releases.changes import describe_changes
from signatures.releases.content import BANNER


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Ask which drafts are discarded, then discard the ticked ones."""
    keys = request.POST.getlist("key")
    if request.method == "POST" and BANNER in keys and not may(request, Permission.MANAGE_CAMPAIGNS):
        messages.error(
            request, "Only people who manage campaigns can change the banner slot. Nothing was discarded."
        )
    elif request.method == "POST" and not keys:
        messages.error(request, "Nothing was chosen, so nothing was discarded.")
    elif request.method == "POST":
        try:
            gone = discard_drafts(domain, keys, actor=get_actor(request).email)
        except DiscardRefused as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, f"{gone} draft{'' if gone == 1 else 's'} discarded.")
            return redirect("signatures:releases", domain.name)
    candidate = build_candidate(domain)
    context = {
        "candidate": candidate,
        "changes": describe_changes(
            domain, candidate.before, candidate.draft, candidate.keys, candidate.values
        ),
    }
    return render(
        request, "signatures/releases/discard.html", context, status=422 if request.method == "POST" else 200
    )
