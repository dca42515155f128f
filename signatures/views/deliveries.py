"""Deliveries: what would change, what did, what was refused."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, require
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.permission import say_why_unreadable, say_why_unwritable
from signatures.delivery.runs import DeliveryBlocked, fill_plan, open_plan
from signatures.forms.senders import PlanForm
from signatures.models import DeliveryRun, DeliveryRunState, Sender, Snapshot, Template

from .common import get_actor, get_page, get_situation
from .progress import IN_PROGRESS, describe_progress

PLANNED_AT_ONCE = (
    1_000  # senders; a larger plan takes longer than a page should, and is made in the background
)


@require(Permission.VIEW)
@require_safe
def deliveries(request: HttpRequest, domain: Domain) -> HttpResponse:
    situation = get_situation(domain)
    runs = DeliveryRun.objects.filter(domain=domain)
    current = runs.filter(state__in=[*IN_PROGRESS, DeliveryRunState.HALTED]).first()
    context = {
        "situation": situation,
        "lost": situation.list_lost("people", "mailboxes"),
        "blocked": say_why_unreadable(situation.connection),
        "unwritable": say_why_unwritable(situation.connection),
        "current": describe_progress(current) if current else None,
        "plan": runs.filter(state=DeliveryRunState.PLANNED).first(),
        "page_obj": get_page(
            request, runs.exclude(state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED])
        ),
        "plan_form": PlanForm(),
        "has_templates": Template.objects.filter(domain=domain, archived_at=None).exists(),
        "original_count": Snapshot.objects.filter(domain=domain).count(),
    }
    return render(request, "signatures/deliveries/list.html", context)


@require(Permission.DELIVER)
@require_POST
def delivery_plan(request: HttpRequest, domain: Domain) -> HttpResponse:
    """A plan is made and shown; nothing is written by it."""
    form = PlanForm(request.POST)
    form.is_valid()
    actor = get_actor(request)
    try:
        run = open_plan(
            domain,
            by_label=actor.email,
            by=actor,
            overwrite_edits=bool(form.cleaned_data.get("overwrite_edits")),
        )
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
        return redirect("signatures:deliveries", domain.name)
    if Sender.objects.filter(domain=domain).count() <= PLANNED_AT_ONCE:
        fill_plan(run.pk)
    else:
        enqueue("signatures.tasks.plan_delivery", run_id=run.pk)
    return redirect("signatures:delivery_run", domain.name, run.pk)
