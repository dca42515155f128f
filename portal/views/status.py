"""Status views: the state of the whole installation for operators, as a page and as JSON."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.connection.health import SMALLEST_PLAN
from integrations.notices.channel_settings import TooManyTests, send_test
from integrations.notices.channels import list_operator_channels
from portal.access import get_actor, require_staff
from portal.background import enqueue
from portal.status.collect import collect_status
from portal.worker.machines import forget_machine

SWEEPS = ("integrations.tasks.sweep_connections", "signatures.tasks.sweep_deliveries")


@require_staff
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    found = collect_status()
    context = {
        "status": found,
        "alive": sum(machine.is_alive for machine in found.machines),
        "busy": sum(machine.is_alive and machine.is_busy for machine in found.machines),
        "notices": found.notices,
        "channels": list_operator_channels(),
        "smallest_plan": SMALLEST_PLAN,
    }
    return render(request, "portal/status.html", context)


@require_staff
@require_safe
def status_json(request: HttpRequest) -> JsonResponse:
    found = collect_status()
    return JsonResponse(found.as_json(), headers={"Cache-Control": "no-store"})


@require_staff
@require_POST
def status_requeue(request: HttpRequest) -> HttpResponse:
    """Queue the sweeps, which find every sync and delivery that is due and that no worker holds."""
    for task in SWEEPS:
        enqueue(task)
    messages.success(request, "Queued: a worker looks for everything that is due, and continues it.")
    return redirect("portal:status")


@require_staff
@require_POST
def status_forget(request: HttpRequest) -> HttpResponse:
    """Remove a worker that is gone from the list."""
    name, process = request.POST.get("name", ""), request.POST.get("process", "")
    is_number = process.isascii() and process.isdigit() and len(process) < 10
    removed = forget_machine(name=name, process=int(process)) if name and is_number else 0
    if removed:
        messages.success(request, f"{name} is no longer listed. If its worker runs, it comes back by itself.")
    else:
        messages.info(request, "This worker is not listed any more.")
    return redirect("portal:status")


@require_staff
@require_POST
def status_test_notice(request: HttpRequest) -> HttpResponse:
    """Send a test message to the installation's webhooks, and by e-mail to whoever asks for it."""
    try:
        for tried in send_test(None, to=get_actor(request)):
            tell = messages.success if tried.is_taken else messages.error
            tell(request, f"{tried.label}: {tried.answer}")
    except TooManyTests as refusal:
        messages.error(request, str(refusal))
    return redirect("portal:status")
