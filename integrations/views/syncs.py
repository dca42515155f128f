"""Pages of syncs: what was read from Outreach, when, and why it ended as it did."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.connection.health import describe
from integrations.connection.lifecycle import get_connection, get_last_connection
from integrations.sync.progress import get_sync_steps
from integrations.sync.runs import SyncRefused, request_sync
from integrations.sync.unknown_values import describe_unknown
from portal.access import Permission, get_actor, require
from portal.background import enqueue
from portal.models import Domain

from ..forms import SyncForm
from ..models import READ_TO_END, UNFINISHED, RejectedRecord, SyncKind, SyncRun

PER_PAGE = 50
SHOWN_REJECTED = 200


def _get_run(domain: Domain, pk: int) -> SyncRun:
    runs = SyncRun.objects.select_related("connection").filter(connection__domain=domain)
    return get_object_or_404(runs, pk=pk)


def _get_rejected(run: SyncRun) -> QuerySet[RejectedRecord]:
    """Return what is rejected still: of the newest run everything, of an earlier one what it met last."""
    of_connection = RejectedRecord.objects.filter(connection=run.connection_id)
    newest = run.connection.sync_runs.filter(state__in=READ_TO_END).first()
    return of_connection if newest == run else of_connection.filter(run=run)


@require(Permission.VIEW)
@require_safe
def runs(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Every sync of the domain, newest first; those of ended connections too."""
    page = Paginator(SyncRun.objects.filter(connection__domain=domain), PER_PAGE).get_page(
        request.GET.get("page")
    )
    connection = get_last_connection(domain)
    current = connection.sync_runs.filter(state__in=UNFINISHED).first() if connection else None
    context = {
        "page_obj": page,
        "connection": connection,
        "condition": describe(connection),
        "current_run": current,
        "current_steps": get_sync_steps(current) if current else [],
    }
    return render(request, "integrations/syncs/syncs.html", context)


@require(Permission.VIEW)
@require_safe
def run(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """One sync: how far it is, or what it found."""
    found = _get_run(domain, pk)
    rejected = _get_rejected(found)
    context = {
        "run": found,
        "steps": get_sync_steps(found),
        "rejected_total": rejected.count(),
        "rejected_records": rejected[:SHOWN_REJECTED],
        "unknown": describe_unknown(found),
        "is_usable": found.connection.is_usable,
    }
    return render(request, "integrations/syncs/sync.html", context)


@require(Permission.VIEW)
@require_safe
def run_progress(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The moving part of a run's page; once the run has ended, the whole page is asked for anew."""
    found = _get_run(domain, pk)
    response = render(
        request, "integrations/syncs/_sync_progress.html", {"run": found, "steps": get_sync_steps(found)}
    )
    if found.is_finished:
        response["HX-Refresh"] = "true"
    return response


@require(Permission.DELIVER)
@require_POST
def sync_now(request: HttpRequest, domain: Domain) -> HttpResponse:
    """A sync is queued, and its page shows how far it is."""
    connection = get_connection(domain)
    form = SyncForm(request.POST)
    if connection is None or not form.is_valid():
        messages.error(
            request,
            "Choose what to read: what changed, or everything."
            if connection
            else "Nothing was read: this domain is not connected to Outreach. Connect it first.",
        )
        return redirect("integrations:runs", domain.name)
    person = get_actor(request)
    try:
        queued = request_sync(
            connection,
            kind=SyncKind(form.cleaned_data["kind"]),
            by=person,
            actor=person.email,
            confirms_removals=form.cleaned_data["confirms_removals"],
        )
    except SyncRefused as refusal:
        messages.warning(request, str(refusal))
        return redirect("integrations:runs", domain.name)
    enqueue("integrations.tasks.sync_directory", run_id=queued.pk)
    return redirect("integrations:run", domain.name, queued.pk)
