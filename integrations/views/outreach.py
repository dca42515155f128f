"""Pages of a connection: its state and permissions, pausing, mode, checking and disconnecting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.catalogue import list_calls, list_narrower_scopes, list_scopes
from integrations.connection.health import (
    Facts,
    describe,
    get_facts,
    get_failed_run,
    get_restore_block_reason,
)
from integrations.connection.lifecycle import (
    ResumeRefused,
    check_connection,
    get_connection,
    get_last_connection,
    pause,
    resume,
    set_mode,
)
from integrations.connection.permissions import list_lost_features, list_switches
from integrations.connection.proof import get_last_proof
from integrations.disconnect.progress import get_disconnect_steps
from integrations.disconnect.steps import DisconnectRefused, leave_as_they_are, request_disconnect
from integrations.ledger.usage import summarise
from integrations.signature_service import Restoration, get_signature_service
from integrations.sync.progress import Step, get_sync_steps
from integrations.sync.unknown_values import describe_gaps
from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import recently_authenticated

from ..forms import DisconnectForm, LeaveForm, ModeForm
from ..models import Connection, ConnectionState, DisconnectStep, Mode
from .permissions import leave_for_outreach, prefers_narrower

RECENT_RECEIPTS = 5
_RECONNECTABLE = ("limited", "lost", "disconnected")


def _get_open(domain: Domain) -> Connection:
    """Return the open connection. Raises Http404: without one there is nothing to act on."""
    connection = get_connection(domain)
    if connection is None:
        raise Http404("Not connected.")
    return connection


def _label(request: HttpRequest) -> str:
    return get_actor(request).email


@require(Permission.VIEW)
@require_safe
def outreach(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The connection in whatever state it is; before there is one, what connecting would mean."""
    connection = get_last_connection(domain)
    condition = describe(connection)
    context: dict[str, Any] = {
        "connection": connection,
        "condition": condition,
        "can_reconnect": condition.key in _RECONNECTABLE,
        "sync_is_main": condition.key not in _RECONNECTABLE,
        "scopes": list_scopes(),
        "narrower": list_narrower_scopes(),
        "asks_narrowly": prefers_narrower(request, connection),
        "call_count": len(list_calls()),
        "is_set_up": bool(settings.OUTREACH_CLIENT_ID and settings.OUTREACH_CLIENT_SECRET),
    }
    if connection is not None:
        context |= _describe_connection(domain, connection)
    return render(request, "integrations/connection/connection.html", context)


def _describe_connection(domain: Domain, connection: Connection) -> dict[str, Any]:
    facts = get_facts(connection, at=timezone.now())
    return {
        "facts": facts,
        "failed_run": get_failed_run([facts.last_run] if facts.last_run else []),
        **describe_gaps(connection),
        "uses": summarise(domain, connection),
        "features_lost": list_lost_features(connection),
        "switches": list_switches(connection),
        "last_proof": get_last_proof(domain),
        "receipts": list(domain.receipts.all()[:RECENT_RECEIPTS]),
        "progress": _get_progress(connection, facts),
    }


@dataclass(frozen=True, slots=True)
class Progress:
    """What is under way on a connection, or how it left.

    is_moving: the page refreshes automatically. is_idle: restoring originals waits, or a person must decide.
    """

    title: str
    steps: list[Step]
    restoration: Restoration
    is_moving: bool
    is_idle: bool = False


def _get_progress(connection: Connection, facts: Facts) -> Progress | None:
    """Return what a page follows: a disconnect, running or done, or the first sync; otherwise None."""
    if connection.state in (ConnectionState.DISCONNECTING, ConnectionState.DISCONNECTED):
        restoration = get_signature_service().describe_restore(connection)
        is_disconnecting = connection.state == ConnectionState.DISCONNECTING
        is_restoring = is_disconnecting and connection.disconnect_step == DisconnectStep.RESTORING
        is_idle = is_restoring and bool(restoration.waits_for)
        return Progress(
            "Disconnecting" if is_disconnecting else "Disconnect steps",
            get_disconnect_steps(connection, restoration),
            restoration,
            is_moving=is_disconnecting and not is_idle,
            is_idle=is_idle,
        )
    if facts.current_run is not None and not facts.has_synced:
        return Progress("The first sync", get_sync_steps(facts.current_run), Restoration(), True)
    return None


@require(Permission.VIEW)
@require_safe
def progress(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The moving part of the page; once nothing moves any more, the whole page is asked for anew."""
    connection = get_last_connection(domain)
    if connection is None:
        raise Http404("Not connected.")
    under_way = _get_progress(connection, get_facts(connection, at=timezone.now()))
    response = render(
        request,
        "integrations/connection/_connection_progress.html",
        {"connection": connection, "progress": under_way},
    )
    if under_way is None or not under_way.is_moving:
        response["HX-Refresh"] = "true"
    return response


@require(Permission.CONNECT)
@recently_authenticated(returns_to="integrations:outreach")
@require_POST
def connect(request: HttpRequest, domain: Domain) -> HttpResponseBase:
    """The person is sent to Outreach to say yes or no; nothing is stored before they come back."""
    return leave_for_outreach(request, domain)


@require(Permission.CONNECT)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def disconnect(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show what disconnecting does to how many mailboxes, and start it in one of two ways."""
    connection = _get_open(domain)
    if connection.state == ConnectionState.DISCONNECTING:
        return redirect("integrations:outreach", domain.name)
    form = DisconnectForm(request.POST if request.method == "POST" else None, domain=domain)
    if form.is_valid():
        try:
            request_disconnect(connection, restores=form.cleaned_data["restores"], actor=_label(request))
        except DisconnectRefused as refusal:
            messages.warning(request, str(refusal))
        return redirect("integrations:outreach", domain.name)
    context = {
        "connection": connection,
        "restoration": get_signature_service().describe_restore(connection),
        "why_not": get_restore_block_reason(connection),
        "form": form,
    }
    return render(request, "integrations/disconnect/disconnect.html", context)


@require(Permission.CONNECT)
@recently_authenticated(returns_to="integrations:outreach")
@require_POST
def leave_originals(request: HttpRequest, domain: Domain) -> HttpResponseBase:
    """What the restore of a disconnect did not give back is left as it is, as many mailboxes as the page named."""
    form = LeaveForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: the number of mailboxes is missing. Reload this page.")
        return redirect("integrations:outreach", domain.name)
    number = form.cleaned_data["number"]
    try:
        leave_as_they_are(_get_open(domain), number=number, actor=_label(request))
    except DisconnectRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.info(request, f"{number:,} mailboxes stay as they are. Our access is revoked next.")
    return redirect("integrations:outreach", domain.name)


@require(Permission.DELIVER)
@require_POST
def pause_writing(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Nothing is written until somebody resumes."""
    pause(_get_open(domain), actor=_label(request))
    messages.success(request, "Writing is paused. A delivery under way stops within five seconds.")
    page = "portal:overview" if request.POST.get("page") == "overview" else "integrations:outreach"
    return redirect(page, domain.name)


@require(Permission.DELIVER)
@require_POST
def resume_writing(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Writing is allowed again."""
    try:
        resume(_get_open(domain), actor=_label(request))
        messages.success(request, "Writing is allowed again.")
    except ResumeRefused as refusal:
        messages.error(request, refusal.message)
    return redirect("integrations:outreach", domain.name)


@require(Permission.CONNECT)
@require_POST
def change_mode(request: HttpRequest, domain: Domain) -> HttpResponse:
    """The connection writes, or only plans."""
    connection = _get_open(domain)
    form = ModeForm(request.POST)
    if form.is_valid():
        mode = Mode(form.cleaned_data["mode"])
        set_mode(connection, mode, actor=_label(request))
        is_live = mode == Mode.LIVE
        messages.success(
            request, "Deliveries are written from now on." if is_live else "Nothing is written from now on."
        )
    else:
        messages.error(request, "Nothing was changed: choose live or dry run.")
    return redirect("integrations:outreach", domain.name)


@require(Permission.CONNECT)
@require_POST
def check(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Each permission is tried with one small read, and the answers are said."""
    health = check_connection(_get_open(domain), actor=_label(request))
    if health.is_ok:
        messages.success(request, health.sentence)
        return redirect("integrations:outreach", domain.name)
    failed = [f"{scope}: {sentence}" for scope, sentence in health.checked if sentence != "ok"]
    for words in failed or [health.sentence]:
        messages.error(request, words)
    return redirect("integrations:outreach", domain.name)
