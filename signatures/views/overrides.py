"""Override views: local values that differ from Outreach's, on one page, to keep or to drop."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, may, require
from portal.models import Domain
from signatures.delivery.status import refresh_domain
from signatures.senders.overrides import drop_overrides, keep_overrides, list_overrides
from signatures.senders.vocabulary import list_closed_fields

from .common import PER_PAGE, say_drafted, values_wait


@require(Permission.VIEW)
@require_safe
def overrides(request: HttpRequest, domain: Domain) -> HttpResponse:
    """List the overrides that nobody chose to keep; `kept=1` for all."""
    shows_kept = request.GET.get("kept") == "1"
    found = list_overrides(domain)
    listed = [one for one in found if shows_kept or not one.is_kept]
    context = {
        "page_obj": Paginator(listed, PER_PAGE).get_page(request.GET.get("page")),
        "total": len(listed),
        "kept_number": sum(one.is_kept for one in found),
        "shows_kept": shows_kept,
        "closed": [] if may(request, Permission.MANAGE_DOMAIN) else list_closed_fields(domain),
    }
    return render(request, "signatures/fields/overrides.html", context)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def overrides_decide(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Keep or drop the chosen overrides; those that only owners and admins may edit are left out for others."""
    closed = [] if may(request, Permission.MANAGE_DOMAIN) else list_closed_fields(domain)
    keys = set(request.POST.getlist("key"))
    chosen = [one for one in list_overrides(domain) if one.key in keys and one.field.name not in closed]
    if not chosen:
        messages.error(request, "Choose at least one override that is still there.")
        return redirect("signatures:overrides", domain.name)
    actor, people = get_actor(request).email, {one.sender.pk for one in chosen}
    if request.POST.get("act") != "drop":
        keep_overrides(domain, chosen, actor=actor)
        messages.success(request, "Kept. They are listed again once their values in Outreach change.")
        return redirect("signatures:overrides", domain.name)
    waits = values_wait(request, domain)
    drop_overrides(domain, chosen, actor=actor, waits=waits)
    refresh_domain(domain, sender_ids=list(people))
    if waits:
        say_drafted(request, domain, "The overrides are dropped as drafts.")
    else:
        messages.success(request, "Dropped. Outreach’s values apply with the next delivery.")
    return redirect("signatures:overrides", domain.name)
