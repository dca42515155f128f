"""Deliveries: the list of runs, a new plan, and one run from its plan to its end, mailbox by mailbox."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.permission import say_why_unreadable, say_why_unwritable
from signatures.delivery.planning import fill_plan, open_plan
from signatures.delivery.report import IN_PROGRESS, count_mailboxes, describe_progress
from signatures.delivery.retention import get_kept_days
from signatures.delivery.runs import get_disconnect_restore, resume_delivery, start_delivery, stop_delivery
from signatures.delivery.sides import find_sides
from signatures.forms.deliveries import DeliveryFilters, PlanForm
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Sender, Snapshot, Template

from .common import get_delivery, get_page, get_situation

PLANNED_AT_ONCE = 1_000  # senders; a larger plan is made in the background
TASK = "signatures.tasks.deliver_signatures"


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
            actor=actor.email,
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


def _get_run(domain: Domain, pk: int) -> DeliveryRun:
    run: DeliveryRun = get_object_or_404(
        DeliveryRun.objects.select_related("connection"), domain=domain, pk=pk
    )
    return run


@require(Permission.VIEW)
@require_safe
def delivery_run(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    run = _get_run(domain, pk)
    filters = DeliveryFilters(request.GET)
    filters.is_valid()
    state, words = filters.cleaned_data.get("state") or "", filters.cleaned_data.get("q") or ""
    rows = Delivery.objects.filter(run=run).select_related("sender", "template_version__template")
    if state:
        rows = rows.filter(state=state)
    for word in words.split()[:6]:
        rows = rows.filter(Q(mailbox_email__icontains=word) | Q(sender__name__icontains=word))
    counted = Delivery.objects.filter(run=run).order_by().values("state").annotate(number=Count("pk"))
    is_leaving = run == get_disconnect_restore(run.connection) and not run.is_finished
    context = {
        "run": run,
        "progress": describe_progress(run),
        "is_leaving": is_leaving,
        "unwritable": "" if is_leaving else say_why_unwritable(run.connection),
        "kept_days": get_kept_days(run),
        "filters": filters,
        "is_filtered": bool(state or words),
        "counts": {row["state"]: row["number"] for row in counted},
        "page_obj": get_page(request, rows.order_by("id")),
    }
    return render(request, "signatures/deliveries/detail.html", context)


@require(Permission.VIEW)
@require_safe
def delivery_progress(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The fragment that a page asks for while a run moves; the last answer makes the page load anew."""
    progress = describe_progress(_get_run(domain, pk))
    response = render(
        request, "signatures/deliveries/_delivery_progress.html", {"progress": progress, "domain": domain}
    )
    if not progress.is_moving:
        response["HX-Refresh"] = "true"
    return response


@require(Permission.DELIVER)
@require_POST
def delivery_start(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    run, actor = _get_run(domain, pk), get_actor(request)
    try:
        run = start_delivery(run, actor=actor.email, by=actor)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        enqueue(TASK, run_id=run.pk)
        messages.info(
            request, f"Delivering to {count_mailboxes(run.planned)}. You can leave this page; it continues."
        )
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.DELIVER)
@require_POST
def delivery_resume(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    run, actor = _get_run(domain, pk), get_actor(request)
    try:
        run = resume_delivery(run, actor=actor.email)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        enqueue(TASK, run_id=run.pk)
        messages.info(request, "Continuing with the remaining mailboxes.")
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.DELIVER)
@require_POST
def delivery_stop(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    run = _get_run(domain, pk)
    try:
        stop_delivery(run, actor=get_actor(request).email)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        messages.info(request, "Stopped. The remaining mailboxes are unchanged.")
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.VIEW)
@require_safe
def delivery_preview(request: HttpRequest, domain: Domain, run: int, pk: int) -> HttpResponse:
    """What one mailbox holds before and after, side by side."""
    delivery = get_delivery(domain, run, pk)
    following = (
        Delivery.objects.filter(run_id=run, pk__gt=pk).order_by("pk").values_list("pk", flat=True).first()
    )
    context = {
        "run": delivery.run,
        "delivery": delivery,
        "sides": find_sides(delivery),
        "following": following,
    }
    return render(request, "signatures/deliveries/compare.html", context)
