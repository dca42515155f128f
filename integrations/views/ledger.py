"""Pages of the scope ledger: what was asked for, granted and used, its entries, and their export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from integrations.catalogue import list_calls
from integrations.connection.health import describe
from integrations.connection.lifecycle import get_last_connection, list_connections
from integrations.crypto.sealing import Unsealable
from integrations.ledger.chain import get_chain
from integrations.ledger.export import FORMATS, plan_export, stream_export
from integrations.ledger.record import record_act
from integrations.ledger.status import get_chain_facts
from integrations.ledger.subjects import name_entries
from integrations.ledger.usage import (
    DayUse,
    ScopeUse,
    count_calls,
    count_refused,
    list_days,
    list_job_kinds,
    list_people,
    list_written,
    summarise,
)
from portal.access import Permission, get_actor, require
from portal.background import enqueue
from portal.charts import Plot, draw_bars
from portal.models import Domain
from portal.paging import BoundedPaginator
from portal.reauth import recently_authenticated

from ..forms import LedgerFilterForm
from ..models import LedgerEntry

PER_PAGE = 50
NEWEST = 10  # of one permission, on its own page


def _list_entries(domain: Domain) -> Any:
    """The newest first; by their place in the chain, which each filter's index ends with."""
    return LedgerEntry.objects.filter(domain=domain).order_by("-sequence")


def _read_filter(given: Any, domain: Domain, uses: list[ScopeUse]) -> LedgerFilterForm:
    return LedgerFilterForm(given, scopes=[use.scope for use in uses], domain=domain)


def _draw(days: Sequence[DayUse]) -> Plot:
    return draw_bars(
        "Calls a day",
        names=[f"{day.day:%-d %b}" for day in days],
        everything=[day.calls for day in days],
        part=[day.writes for day in days],
        all_name="calls",
        part_name="of them writes",
    )


@require(Permission.VIEW_LEDGER)
@require_safe
def ledger(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Every call and every privileged act, under the permission that allowed it."""
    connection = get_last_connection(domain)
    uses = summarise(domain, connection)
    form = _read_filter(request.GET, domain, uses)
    over = form.get_connection()
    if over is not None:
        connection, uses = over, summarise(domain, over, over=over)
    page = BoundedPaginator(form.narrow(_list_entries(domain)), PER_PAGE).get_page(request.GET.get("page"))
    days = list_days(domain, over=over)
    calls, writes = count_calls(days)
    context = {
        "connection": connection,
        "condition": describe(connection),
        "uses": uses,
        "call_count": len(list_calls()),
        "requested": sum(use.is_requested for use in uses),
        "granted": sum(use.is_requested and use.is_granted for use in uses),
        "used": sum(use.is_requested and use.calls > 0 for use in uses),
        "extra": sum(not use.is_requested and use.is_granted for use in uses),
        "calls": calls,
        "writes": writes,
        "refused": count_refused(domain),
        "written": list_written(domain, over=over),
        "over": over,
        "has_several": len(list_connections(domain)) > 1,
        "days": days,
        "plot": _draw(days),
        "chain": get_chain_facts(domain),
        "form": form,
        "formats": FORMATS,
        "people": list_people(domain),
        "jobs": list_job_kinds(domain),
        "page_obj": page,
        "subjects": name_entries(domain, page),
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render(request, "integrations/ledger/ledger.html", context)


@require(Permission.VIEW_LEDGER)
@require_safe
def ledger_scope(request: HttpRequest, domain: Domain, scope: str) -> HttpResponse:
    """One permission: what each verb of it was used for, by whom, over which fields, and its newest calls."""
    connection = get_last_connection(domain)
    use = next((use for use in summarise(domain, connection) if use.scope == scope), None)
    if use is None:
        raise Http404("No such permission.")
    days = list_days(domain, scope=scope)
    newest = list(_list_entries(domain).filter(scope=scope)[:NEWEST])
    context = {
        "connection": connection,
        "condition": describe(connection),
        "use": use,
        "days": days,
        "plot": _draw(days),
        "page_obj": newest,
        "subjects": name_entries(domain, newest),
    }
    return render(request, "integrations/ledger/scope.html", context)


@require(Permission.VIEW_LEDGER)
@recently_authenticated(returns_to="integrations:ledger")
@require_POST
def ledger_export(request: HttpRequest, domain: Domain) -> HttpResponseBase:
    """Give the entries that match as one signed file; the export is an entry itself."""
    form = _read_filter(request.POST, domain, summarise(domain, get_last_connection(domain)))
    chosen = request.POST.get("format", "")
    if not form.is_valid() or chosen not in FORMATS:
        messages.error(request, "Nothing was exported: the filter is not valid. Set it again.")
        return redirect("integrations:ledger", domain.name)
    person = get_actor(request).email
    try:
        with transaction.atomic():
            export = plan_export(
                domain, form.narrow(_list_entries(domain)), format=chosen, filters=form.asked, actor=person
            )
            asked = ", ".join(f"{name}: {value}" for name, value in form.asked.items()) or "everything"
            record_act(
                "ledger exported",
                domain=domain,
                actor_label=person,
                detail=f"{asked}, as {FORMATS[chosen]}, up to entry {export.head.count:,}",
            )
    except Unsealable:
        messages.error(
            request,
            "Nothing was exported: it cannot be signed. The operator of this portal must run rotatekeys.",
        )
        return redirect("integrations:ledger", domain.name)
    return StreamingHttpResponse(
        stream_export(export),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{export.filename}"',
            "Cache-Control": "no-store",
        },
    )


@require(Permission.VIEW_LEDGER)
@require_POST
def ledger_check(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Have the chain checked now; the worker does it, as a long one takes minutes."""
    if get_chain(domain) is None:
        messages.info(request, "There is no entry to check yet.")
    else:
        enqueue("integrations.tasks.check_chain", chain_id=domain.pk)
        messages.success(
            request, "The check is queued. Its result appears under “The chain” when it is done."
        )
    return redirect(f"{reverse('integrations:ledger', args=[domain.name])}#chain")


@require(Permission.VIEW)
@require_safe
def ledger_calls(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The calls this portal can make, from the very table that the client obeys."""
    calls = list_calls()
    writes = sum(call.verb == "write" for call in calls)
    return render(request, "integrations/ledger/calls.html", {"calls": calls, "writes": writes})
