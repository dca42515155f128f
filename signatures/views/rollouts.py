"""Rollouts: pauses, plans again, retries and downloads a run."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, require
from portal.background import enqueue
from portal.csv_export import write_lines
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.control import pause_delivery, retry_delivery
from signatures.delivery.planning import plan_changed_again
from signatures.delivery.report import count_mailboxes
from signatures.delivery.rollout_figures import COLUMNS, list_rows
from signatures.models import DeliveryRun

from .common import give_csv
from .deliveries import TASK


def _get_run(domain: Domain, pk: int) -> DeliveryRun:
    found = DeliveryRun.objects.select_related("connection", "domain", "release")
    run: DeliveryRun = get_object_or_404(found, domain=domain, pk=pk)
    return run


@require(Permission.DELIVER)
@require_POST
def delivery_pause(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    try:
        pause_delivery(_get_run(domain, pk), actor=get_actor(request).email)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        messages.info(request, "Paused. Nothing more is written until somebody resumes it.")
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.DELIVER)
@require_POST
def delivery_replan(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Plan those mailboxes again that changed since the plan was made; the other rows stay."""
    try:
        plan_changed_again(_get_run(domain, pk))
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.DELIVER)
@require_POST
def delivery_retry(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Try refused and failed mailboxes again, all or those with one reason."""
    try:
        number = retry_delivery(
            _get_run(domain, pk),
            actor=get_actor(request).email,
            reason_code=request.POST.get("reason", "")[:32],
        )
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        enqueue(TASK, run_id=pk)
        messages.info(request, f"Trying {count_mailboxes(number)} again.")
    return redirect("signatures:delivery_run", domain.name, pk)


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:deliveries", reading=True)
@require_safe
def delivery_export(request: HttpRequest, domain: Domain, pk: int) -> StreamingHttpResponse:
    """Download every mailbox of a run as CSV, with its outcome."""
    run = _get_run(domain, pk)
    record_act("delivery downloaded", domain=domain, actor_label=get_actor(request).email, job=run.job_label)
    return give_csv(write_lines(COLUMNS, list_rows(run)), f"{run.kind}-{run.pk}")
