"""Domain views: list of domains, overview, settings and integrations."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from integrations.connection.health import describe, get_failed_run
from integrations.connection.lifecycle import get_last_connection
from integrations.connection.permissions import list_lost_features
from integrations.models import Connection
from integrations.sync.progress import get_sync_steps
from integrations.sync.unknown_values import describe_gaps
from portal.access import Permission, check_permission, get_actor, get_visible_domains, require
from portal.accounts.domains import record_settings_changed
from portal.forms.domains import DomainForm
from portal.models import Domain, User
from signatures.delivery.automatic import describe_automatic
from signatures.overview import get_overview
from signatures.self_service.accounts import list_accounts

PER_PAGE = 50
RECENT_SYNCS = 6


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """List the person's domains; with only one, redirect to it, and with none, to their own signature."""
    person = get_actor(request)
    visible = get_visible_domains(person)
    first_two = list(visible[:2])
    if len(first_two) == 1:
        return redirect("portal:overview", first_two[0].name)
    if not first_two and list_accounts(person).exists():
        return redirect("signatures:my_signatures")
    words = request.GET.get("q", "").strip()
    page = Paginator(visible.filter(name__icontains=words) if words else visible, PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "rows": _domain_rows(person, list(page)),
        "page_obj": page,
        "q": words,
        "has_any": bool(first_two),
    }
    return render(request, "portal/home.html", context)


def _domain_rows(person: User, domains: list[Domain]) -> list[dict[str, Any]]:
    """Return each domain with the person's role and the state of its connection."""
    roles = {m.domain_id: m.get_role_display() for m in person.memberships.filter(domain__in=domains)}
    latest: dict[int, Connection] = {}
    for found in Connection.objects.filter(domain__in=domains).order_by("authorised_at"):
        kept = latest.get(found.domain_id)
        if kept is None or found.is_open or not kept.is_open:
            latest[found.domain_id] = found
    return [
        {"name": d.name, "role": roles.get(d.pk, "Staff"), "condition": describe(latest.get(d.pk))}
        for d in domains
    ]


@require(Permission.VIEW)
@require_safe
def overview(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show mailboxes by status, action needed, drafts and recent runs."""
    connection_ = get_last_connection(domain)
    runs = list(connection_.sync_runs.all()[:RECENT_SYNCS]) if connection_ else []
    current = next((run for run in runs if not run.is_finished), None)
    gaps = describe_gaps(connection_, runs)
    synced_at = gaps["synced_at"]
    open_connection = connection_ if connection_ and connection_.is_open else None
    figures = get_overview(domain, connection=open_connection)
    context = {
        "connection": connection_,
        "condition": describe(connection_),
        "overview": figures,
        "draft_count": figures.draft_count,  # of the menu too
        "edited_count": figures.edited,
        "runs": runs,
        "current_run": current,
        "current_steps": get_sync_steps(current) if current else [],
        "failed_run": get_failed_run(runs),
        **gaps,
        **describe_automatic(domain, open_connection, figures.live, figures.numbers),
        "is_first_sync": synced_at is None,
        "features_lost": list_lost_features(open_connection) if open_connection else [],
    }
    return render(request, "portal/overview.html", context)


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show and change the domain's time zone and automatic work."""
    form = DomainForm(request.POST if request.method == "POST" else None, instance=domain)
    if request.method == "POST":
        check_permission(request, domain, Permission.MANAGE_DOMAIN)
        if form.is_valid():
            with transaction.atomic():
                form.save()
                record_settings_changed(domain, form.changed_data, actor=get_actor(request))
            messages.success(request, "Settings saved.")
            return redirect("portal:settings", domain.name)
        domain.refresh_from_db()  # the page's frame shows what is stored, the form what was typed
    return render(request, "portal/settings.html", {"form": form})


@require(Permission.VIEW)
@require_safe
def integrations(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show which external systems the domain is connected to."""
    found = get_last_connection(domain)
    return render(
        request,
        "portal/integrations.html",
        {"connection": found, "condition": describe(found)},
    )
