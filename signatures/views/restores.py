"""Restores: plans which mailboxes are restored, and to what; the plan is shown like a delivery's."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.access import Permission, get_actor, require
from portal.models import Domain, User
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.permission import get_delivery_block_reason
from signatures.delivery.restore_plan import Target, open_restore
from signatures.forms.restores import RestoreForm
from signatures.models import Delivery, DeliveryRun
from signatures.tasks import plan_soon

from .common import get_situation


@require(Permission.DELIVER)
@require_http_methods(["GET", "HEAD", "POST"])
def restore_plan(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Plan a restore, and show the plan; nothing is written by it.

    sender (an address), group, run, delivery (ids), to: filled in where a link names them.
    """
    given = request.POST if request.method == "POST" else None
    form = RestoreForm(given, domain=domain, initial=request.GET.dict())
    if form.is_bound and form.is_valid():
        try:
            run = _plan(domain, form, get_actor(request))
        except DeliveryBlocked as blocked:
            messages.error(request, str(blocked))
            return redirect("signatures:deliveries", domain.name)
        return redirect("signatures:delivery_run", domain.name, run.pk)
    chosen = str(form["delivery"].value() or "")
    context: dict[str, Any] = {
        "form": form,
        "blocked": get_delivery_block_reason(get_situation(domain).connection),
        "earlier": Delivery.objects.filter(run__domain=domain, pk=int(chosen)).first()
        if chosen.isascii() and chosen.isdigit() and len(chosen) < 16
        else None,
    }
    return render(request, "signatures/deliveries/restore.html", context, status=422 if form.errors else 200)


def _plan(domain: Domain, form: RestoreForm, actor: User) -> DeliveryRun:
    asked = form.cleaned_data
    earlier: Delivery | None = asked["delivery"]
    run = open_restore(
        domain,
        Target(at=form.moment, before_run=form.before_run, delivery=earlier),
        actor=actor.email,
        by=actor,
        sender_ids=[asked["sender"].pk] if asked["sender"] and not earlier else None,
        group_ids=[asked["group"].pk] if asked["group"] and not earlier else [],
        of_run=None if earlier else asked["run"],
        overwrite_edits=asked["overwrite_edits"],
    )
    plan_soon(run)
    return run
