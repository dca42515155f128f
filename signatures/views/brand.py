"""Brand view: company values in a domain's signatures."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.forms.templates import BrandForm
from signatures.models import Sender
from signatures.releases.content import BRAND
from signatures.releases.draft import note_edit
from signatures.senders.values import get_brand

from .common import say_drafted


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def brand(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = BrandForm(request.POST if request.method == "POST" else None, instance=get_brand(domain))
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            if form.changed_data:
                note_edit(domain, BRAND, actor=get_actor(request).email)
                record_act(
                    "company values changed",
                    domain=domain,
                    actor_label=get_actor(request).email,
                    detail=", ".join(form.changed_data),
                )
        say_drafted(request, domain, "Brand saved as a draft.")
        return redirect("signatures:brand", domain.name)
    context = {
        "form": form,
        "sender_count": Sender.objects.filter(domain=domain, is_active=True).count(),
    }
    return render(request, "signatures/templates/brand.html", context, status=422 if form.errors else 200)
