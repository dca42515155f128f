"""The house's pages: which domains, how a domain is doing, who is a member, and whether the portal lives."""

from __future__ import annotations

import sys
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.log import log_response
from django.views import defaults
from django.views.decorators.http import require_http_methods, require_safe

from integrations.connection.health import describe, get_call_use, get_failed_run, get_synced_at
from integrations.connection.lifecycle import get_last_connection
from integrations.connection.permissions import list_lost_features
from integrations.ledger.record import record_act
from integrations.models import Connection
from integrations.sync.progress import get_sync_steps
from integrations.sync.unknown_values import describe_gaps
from portal.access import Permission, get_permissions, get_visible_domains, require
from portal.accounts.invitations import Sent, invite, list_open
from portal.accounts.members import MembershipRefused, change_role, get_roles_to_give, remove_member
from portal.forms.accounts import DomainForm, InvitationForm, RoleForm
from portal.models import Domain, Membership, Role, User
from portal.outages import RETRY_AFTER_SECONDS, is_outage
from portal.readiness import get_readiness
from portal.reauth import get_typed, recently_authenticated
from signatures.overview import get_overview

PER_PAGE = 50
RECENT_SYNCS = 6


def _require_also(request: HttpRequest, domain: Domain, permission: Permission) -> None:
    """Whoever may look may not always act. Raises PermissionDenied."""
    if permission not in get_permissions(request.user, domain):
        raise PermissionDenied(f"Your role in {domain.name} does not include this.")


def _posted(request: HttpRequest) -> QueryDict | None:
    """Return what was typed, even where that is nothing; None where nothing was sent."""
    return request.POST if request.method == "POST" else None


def get_person(request: HttpRequest) -> User:
    return cast(User, request.user)  # the login middleware lets nobody else in


# ── Domains ──────────────────────────────────────────────────────────────────────────────────────
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Somebody with one domain is taken there; others see theirs."""
    person = get_person(request)
    visible = get_visible_domains(person)
    first_two = list(visible[:2])
    if len(first_two) == 1:
        return redirect("portal:overview", first_two[0].name)
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
    """Return each domain with the person's role there and how its connection is."""
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
    """Is everyone signing as intended, and what needs me?"""
    connection_ = get_last_connection(domain)
    runs = list(connection_.sync_runs.all()[:RECENT_SYNCS]) if connection_ else []
    current = next((run for run in runs if not run.is_finished), None)
    synced_at = get_synced_at(connection_)
    context = {
        "connection": connection_,
        "condition": describe(connection_),
        "overview": get_overview(domain),
        "calls": get_call_use(connection_, at=timezone.now()),
        "runs": runs,
        "current_run": current,
        "current_steps": get_sync_steps(current) if current else [],
        "failed_run": get_failed_run(runs),
        **describe_gaps(connection_),
        "synced_at": synced_at,
        "is_first_sync": synced_at is None,
        "features_lost": list_lost_features(connection_) if connection_ and connection_.is_open else [],
    }
    return render(request, "portal/overview.html", context)


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Where the domain is, and what happens there by itself."""
    form = DomainForm(_posted(request), instance=domain)
    if request.method == "POST":
        _require_also(request, domain, Permission.MANAGE_DOMAIN)
        if form.is_valid():
            with transaction.atomic():
                form.save()
                if form.changed_data:
                    words = ", ".join(f"{name}: {form.cleaned_data[name]}" for name in form.changed_data)
                    record_act(
                        "settings changed", domain=domain, actor_label=get_person(request).email, detail=words
                    )
            messages.success(request, "The settings are saved.")
            return redirect("portal:settings", domain.name)
        domain.refresh_from_db()  # the page's frame shows what is stored, the form what was typed
    return render(request, "portal/settings.html", {"form": form})


# ── Members ──────────────────────────────────────────────────────────────────────────────────────
@require(Permission.VIEW)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Who may do what here, and who is invited; invites one."""
    person = get_person(request)
    form = InvitationForm(
        _posted(request),
        roles=get_roles_to_give(person, Membership(domain=domain, role=Role.AUDITOR)),
        initial={"role": Role.AUDITOR} | get_typed(request),
    )
    if request.method == "POST":
        _require_also(request, domain, Permission.MANAGE_MEMBERS)
        if form.is_valid():
            try:
                tell_sent(request, invite(domain, by=person, **form.cleaned_data))
            except MembershipRefused as refusal:
                form.add_error("email", refusal.message)
            else:
                return redirect("portal:members", domain.name)
    people = domain.memberships.select_related("user").order_by("user__email")
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page_obj": page,
        "invitations": list_open(domain),
        "now": timezone.now(),
    }
    return render(request, "portal/members.html", context)


def tell_sent(request: HttpRequest, sent: Sent) -> None:
    """Say to whoever invited what became of the mail."""
    invited = sent.invitation
    if sent.is_mailed:
        messages.success(request, f"{invited.email} has a mail with a link that works once, for seven days.")
    else:
        messages.warning(
            request,
            f"{invited.email} is invited, but the mail could not be sent. Ask the operator to look at the mail "
            "server, then send the invitation again.",
        )


@require(Permission.MANAGE_MEMBERS)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """One member: gets another role, or leaves."""
    person = get_person(request)
    found = get_object_or_404(domain.memberships.select_related("user", "domain"), pk=pk)
    roles = get_roles_to_give(person, found)
    removes = request.POST.get("act") == "remove"
    form = RoleForm(
        None if removes else _posted(request), roles=roles, initial={"role": found.role} | get_typed(request)
    )
    refused = ""
    if request.method == "POST":
        try:
            if removes:
                remove_member(found, by=person)
                messages.success(request, f"{found.user.email} is no member of {domain.name} any more.")
                return (
                    redirect("portal:home")
                    if found.user == person
                    else redirect("portal:members", domain.name)
                )
            if form.is_valid():
                change_role(found, form.cleaned_data["role"], by=person)
                messages.success(
                    request, f"{found.user.email} is now {form.cleaned_data['role']} of {domain.name}."
                )
                return redirect("portal:members", domain.name)
        except MembershipRefused as refusal:
            refused = refusal.message
    context = {
        "member": found,
        "form": form,
        "refused": refused,
        "may_change": bool(roles),
        "is_self": found.user == person,
    }
    return render(request, "portal/member.html", context)


# ── Integrations ─────────────────────────────────────────────────────────────────────────────────
@require(Permission.VIEW)
@require_safe
def integrations(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Which outside systems this domain is connected to."""
    found = get_last_connection(domain)
    return render(
        request,
        "portal/integrations.html",
        {"connection": found, "condition": describe(found)},
    )


# ── Health ───────────────────────────────────────────────────────────────────────────────────────
@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this web process can serve; 503 where not. It says of the worker, too, and does not depend on it."""
    found = get_readiness()
    answer = JsonResponse(
        found.as_dict(), status=200 if found.is_ready else 503, headers={"Cache-Control": "no-store"}
    )
    if not found.is_ready:
        # Said already, once. Django would log an error for each probe, and mail it to ERROR_EMAILS.
        log_response("Not ready: %s", found.missing, response=answer, request=request, level="debug")
    return answer


# ── When something is wrong ──────────────────────────────────────────────────────────────────────
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form did not come from this session; nothing was done. reason: Django's, for its own log."""
    return render(request, "403_csrf.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Our fault is a 500; a database or cache that is away is a 503 that says so, and heals."""
    if not is_outage(sys.exception()):
        return defaults.server_error(request)
    answer = defaults.server_error(request, template_name="503.html")
    answer.status_code = 503
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
