"""Deliveries: the list of runs, a new plan, and one run from its plan to its end, mailbox by mailbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, may, require
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.permission import get_delivery_block_reason, get_write_block_reason
from signatures.delivery.plan_choice import list_left_out
from signatures.delivery.planning import count_changed_since, make_scope, open_plan
from signatures.delivery.report import IN_PROGRESS, count_mailboxes, describe_progress
from signatures.delivery.restore_plan import describe_target
from signatures.delivery.retention import get_kept_days
from signatures.delivery.rollout_figures import (
    count_calls,
    count_states,
    get_figures,
    list_causes,
    list_groups,
)
from signatures.delivery.runs import get_disconnect_restore, resume_delivery, start_delivery, stop_delivery
from signatures.delivery.sides import find_sides
from signatures.delivery.stages import Rollout, get_rollout
from signatures.forms.deliveries import DeliveryFilters, PlanForm, RolloutForm
from signatures.forms.releases import NO_OWN_SENDER
from signatures.forms.stages import write_stages
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Group, Sender, Snapshot, Template
from signatures.releases.differences import mark_words
from signatures.rendering.plaintext import plain_text
from signatures.tasks import plan_soon

from .common import find_own_sender, get_delivery, get_page, get_situation

MOST_SHOWN = 10  # runs under way, and plans, on the list's page
TASK = "signatures.tasks.deliver_signatures"


@require(Permission.VIEW)
@require_safe
def deliveries(request: HttpRequest, domain: Domain) -> HttpResponse:
    situation = get_situation(domain)
    runs = DeliveryRun.objects.filter(domain=domain)
    current = [
        describe_progress(run)
        for run in runs.filter(state__in=[*IN_PROGRESS, DeliveryRunState.HALTED])[:MOST_SHOWN]
    ]
    context = {
        "situation": situation,
        "lost": situation.list_lost("people", "mailboxes"),
        "blocked": get_delivery_block_reason(situation.connection),
        "unwritable": get_write_block_reason(situation.connection),
        "current": current,
        "plans": runs.filter(state=DeliveryRunState.PLANNED)[:MOST_SHOWN],
        "page_obj": get_page(
            request, runs.exclude(state__in=[DeliveryRunState.PLANNING, DeliveryRunState.PLANNED])
        ),
        "plan_form": PlanForm(domain=domain),
        "has_templates": Template.objects.filter(domain=domain, archived_at=None).exists(),
        "original_count": Snapshot.objects.filter(domain=domain).count(),
    }
    return render(request, "signatures/deliveries/list.html", context)


@require(Permission.DELIVER)
@require_POST
def delivery_plan(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Make a plan and show it; nothing is written by it."""
    form = PlanForm(request.POST, domain=domain)
    if not form.is_valid():
        for problem in form.errors.values():
            messages.error(request, f"{problem[0]} Nothing was planned.")
        return redirect("signatures:deliveries", domain.name)
    chosen = form.cleaned_data
    scope = make_scope(
        sender_ids=form.get_sender_ids(),
        group_ids=[group.pk for group in chosen["groups"]],
        first=chosen["first"],
    )
    if "only_me" in request.POST:
        own = find_own_sender(request, domain)
        if own is None:
            messages.error(request, f"{NO_OWN_SENDER} Nothing was planned.")
            return redirect("signatures:deliveries", domain.name)
        scope = make_scope(sender_ids=[own.pk])
    return _plan(request, domain, scope, overwrite_edits=chosen["overwrite_edits"])


@require(Permission.DELIVER)
@require_POST
def sender_deliver(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Plan a delivery to one person and show it; also where the mailbox is left alone, as somebody asked for it."""
    sender = get_object_or_404(Sender, domain=domain, pk=pk)
    return _plan(
        request,
        domain,
        make_scope(sender_ids=[sender.pk]),
        overwrite_edits="overwrite" in request.POST,
        overwrite_left_alone="overwrite" in request.POST,
    )


def _plan(request: HttpRequest, domain: Domain, scope: dict[str, Any], **overwrites: bool) -> HttpResponse:
    actor = get_actor(request)
    try:
        run = open_plan(domain, actor=actor.email, by=actor, scope=scope, **overwrites)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
        return redirect("signatures:deliveries", domain.name)
    plan_soon(run)
    return redirect("signatures:delivery_run", domain.name, run.pk)


def _get_run(domain: Domain, pk: int) -> DeliveryRun:
    run: DeliveryRun = get_object_or_404(domain.delivery_runs.select_related("connection"), pk=pk)
    run.connection.domain = domain
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
    if stage := filters.cleaned_data.get("stage"):
        rows = rows.filter(stage=stage)
    for word in words.split()[:6]:
        rows = rows.filter(Q(mailbox_email__icontains=word) | Q(sender__name__icontains=word))
    counts = count_states(run)
    numbers: Counter[str] = Counter()
    for row in counts:
        numbers[row["state"]] += row["number"]
    is_leaving = run == get_disconnect_restore(run.connection) and not run.is_finished
    context = {
        "run": run,
        "progress": describe_progress(run),
        "target": describe_target(run) if run.kind == DeliveryRun.Kind.RESTORE else "",
        "is_leaving": is_leaving,
        "unwritable": "" if is_leaving else get_write_block_reason(run.connection),
        "kept_days": get_kept_days(run),
        "may_choose": run.state == DeliveryRunState.PLANNED and may(request, Permission.DELIVER),
        "filters": filters,
        "is_filtered": bool(state or words or stage),
        **(_describe_plan(run) if run.state == DeliveryRunState.PLANNED else describe_rollout(run, counts)),
        "counts": dict(numbers),
        # By the columns of an index of the run's rows, of which there may be 100,000.
        "page_obj": get_page(request, rows.order_by("id" if state else "mailbox_remote_id")),
    }
    return render(request, "signatures/deliveries/detail.html", context)


def _describe_plan(run: DeliveryRun) -> dict[str, Any]:
    rollout = get_rollout(run.domain, run.release)
    return {
        "rollout_form": _fill_in(rollout),
        "causes": list_causes(run),
        "left_out_number": list_left_out(run).count(),
        "planned_groups": list_groups(run),
        "calls": count_calls(run, rollout, at=timezone.now()),
        "changed_since": count_changed_since(run) if run.kind == DeliveryRun.Kind.DELIVER else 0,
        "chosen_groups": Group.objects.filter(pk__in=run.scope.get("groups", [])),
    }


def _fill_in(rollout: Rollout) -> RolloutForm:
    return RolloutForm(
        initial={
            "stages": write_stages(rollout.sizes),
            "pause_minutes": rollout.pause_minutes,
            "refusal_limit": rollout.refusal_limit,
            "drift_limit": rollout.drift_limit,
        }
    )


def _get_rollout(form: RolloutForm) -> Rollout:
    chosen = form.cleaned_data
    return Rollout(
        chosen["stages"],
        chosen["pause_minutes"] if chosen["stages"] else 0,
        chosen["refusal_limit"] or 0,
        chosen["drift_limit"] or 0,
    )


def describe_rollout(run: DeliveryRun, counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of a started run, as its page and its live part show them. counts: of `count_states`."""
    return {
        "figures": get_figures(run, counts, at=timezone.now()),
        "causes": list_causes(run),
        "left_out_number": list_left_out(run).count(),
    }


@require(Permission.VIEW)
@require_safe
def delivery_progress(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Return the fragment that a page asks for while a run moves; the last answer reloads the page."""
    run = _get_run(domain, pk)
    progress = describe_progress(run)
    context: dict[str, Any] = {"progress": progress, "domain": domain, "run": run}
    template = "signatures/deliveries/_delivery_progress.html"
    if "rollout" in request.GET:
        template = "signatures/deliveries/_rollout.html"
        context |= describe_rollout(run, count_states(run))
    response = render(request, template, context)
    if not progress.is_moving:
        response["HX-Refresh"] = "true"
    return response


@require(Permission.DELIVER)
@require_POST
def delivery_start(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    run, actor = _get_run(domain, pk), get_actor(request)
    form = RolloutForm(request.POST)
    if not form.is_valid():
        for problem in form.errors.values():
            messages.error(request, f"{problem[0]} Nothing was started.")
        return redirect("signatures:delivery_run", domain.name, pk)
    try:
        run = start_delivery(run, actor=actor.email, by=actor, rollout=_get_rollout(form))
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        enqueue(TASK, run_id=run.pk)
        messages.info(
            request,
            f"{'Restoring' if run.kind == DeliveryRun.Kind.RESTORE else 'Delivering to'} "
            f"{count_mailboxes(run.planned)}. You can leave this page; it continues.",
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
    """Show what one mailbox holds before and after, side by side."""
    delivery = get_delivery(domain, run, pk)
    following = (
        Delivery.objects.filter(run_id=run, pk__gt=pk).order_by("pk").values_list("pk", flat=True).first()
    )
    sides = find_sides(delivery)
    before, after = sides.before.html or "", sides.after.html or ""
    context = {
        "run": delivery.run,
        "delivery": delivery,
        "sides": sides,
        "words": mark_words(plain_text(before), plain_text(after)),
        "source": mark_words(before, after),
        "following": following,
    }
    return render(request, "signatures/deliveries/compare.html", context)
