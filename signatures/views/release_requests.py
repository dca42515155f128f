"""Release requests: asking for approval, and the page on which a second person decides."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from integrations.connection.health import get_call_use
from portal.access import Permission, get_actor, may, require
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.outlook import foresee
from signatures.forms.releases import ReleaseForm, SendBackForm
from signatures.models import ReleaseRequest, ReleaseState
from signatures.releases.causes import list_mailbox_audiences
from signatures.releases.changes import describe_changes
from signatures.releases.publish import PublishRefused
from signatures.releases.reach import count_reach, list_audiences
from signatures.releases.requests import (
    RequestRefused,
    approve,
    ask,
    build_requested,
    find_outdated,
    is_asker,
    send_back,
    withdraw,
)

from .common import get_page, get_situation
from .releases import get_left, lead_to, name_causes, plan_release, show_drafts


@require(Permission.EDIT_SIGNATURES)
@require_POST
def release_ask(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Ask a second person to publish the ticked drafts."""
    form, keys = ReleaseForm(request.POST, domain=domain), request.POST.getlist("key")
    seen = dict(each.split(" ", 1) for each in request.POST.getlist("seen") if " " in each)
    if not form.is_valid():
        return show_drafts(request, domain, leave=get_left(request), form=form, status=422)
    try:
        asked = ask(
            domain,
            keys=keys,
            note=form.cleaned_data["note"],
            by=get_actor(request),
            publish_at=form.cleaned_data["publish_at"],
            seen={key: seen.get(key, "") for key in keys},
            rollout=form.get_rollout(),
        )
    except (PublishRefused, RequestRefused) as refused:
        messages.error(request, str(refused))
        return show_drafts(request, domain, leave=get_left(request), form=form, status=422)
    return lead_to(request, asked)


def _get_request(domain: Domain, pk: int) -> ReleaseRequest:
    rows = ReleaseRequest.objects.select_related("again", "release")
    found: ReleaseRequest = get_object_or_404(rows, domain=domain, pk=pk)
    found.domain = domain
    return found


@require(Permission.VIEW)
@require_safe
def release_requests(request: HttpRequest, domain: Domain) -> HttpResponse:
    context = {"page_obj": get_page(request, ReleaseRequest.objects.filter(domain=domain))}
    return render(request, "signatures/releases/requests.html", context)


@require(Permission.VIEW)
@require_safe
def release_request(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """What one request would change, for whom, and the decision."""
    return _show(request, _get_request(domain, pk), SendBackForm())


def _show(
    request: HttpRequest, asked: ReleaseRequest, form: SendBackForm, *, status: int = 200
) -> HttpResponse:
    domain, candidate = asked.domain, build_requested(asked)
    situation = get_situation(domain)
    audiences = list_audiences(domain, candidate.before, candidate.draft)
    mailboxes = list_mailbox_audiences(situation.connection, candidate)
    reach = count_reach(candidate.before, candidate.draft, candidate.keys, audiences, only=candidate.chosen)
    changes = describe_changes(domain, candidate.before, candidate.draft, candidate.chosen, candidate.values)
    is_own = is_asker(asked, get_actor(request))
    outdated = find_outdated(asked, candidate) if asked.is_open else ""
    outlook = foresee(situation.connection, candidate, mailboxes)
    context = {
        "asked": asked,
        "candidate": candidate,
        "rows": [(change, reach[change.key]) for change in changes],
        "outdated": outdated,
        "is_own": is_own,
        "may_withdraw": may(request, Permission.EDIT_SIGNATURES),
        "may_decide": asked.is_open and may(request, Permission.PUBLISH) and not is_own,
        "outlook": outlook,
        "calls": get_call_use(situation.connection, at=timezone.now()),
        "causes": name_causes(candidate, mailboxes, audiences, changes),
        "leave": urlencode([("leave", key) for key in candidate.keys if key not in asked.keys]),
        "form": form,
    }
    return render(request, "signatures/releases/request.html", context, status=status)


@require(Permission.PUBLISH)
@require_POST
def release_approve(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """A second person publishes what was asked for, and reviews its plan."""
    asked = _get_request(domain, pk)
    try:
        release = approve(asked, by=get_actor(request))
    except (PublishRefused, RequestRefused) as refused:
        return _refuse(request, asked, refused)
    enqueue("signatures.tasks.send_request_mails")
    if release.state == ReleaseState.SCHEDULED:
        messages.success(request, f"{release} is approved and scheduled. No mailbox changes before.")
        return redirect("signatures:releases", domain.name)
    return plan_release(request, domain, release)


def _refuse(request: HttpRequest, asked: ReleaseRequest, refused: Exception) -> HttpResponse:
    enqueue("signatures.tasks.send_request_mails")  # it may have become out of date
    messages.error(request, str(refused))
    return redirect("signatures:release_request", asked.domain.name, asked.pk)


@require(Permission.PUBLISH)
@require_POST
def release_send_back(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """A second person says what has to change first."""
    asked, form = _get_request(domain, pk), SendBackForm(request.POST)
    if not form.is_valid():
        return _show(request, asked, form, status=422)
    try:
        send_back(asked, by=get_actor(request), comment=form.cleaned_data["comment"])
    except RequestRefused as refused:
        return _refuse(request, asked, refused)
    enqueue("signatures.tasks.send_request_mails")
    messages.success(request, f"{asked} is sent back to {asked.asked_by_label}. Its drafts stay drafts.")
    return redirect("signatures:releases", domain.name)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def release_withdraw(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    asked = _get_request(domain, pk)
    try:
        withdraw(asked, by=get_actor(request))
    except RequestRefused as refused:
        return _refuse(request, asked, refused)
    messages.info(request, f"{asked} is withdrawn. Its drafts stay drafts.")
    return redirect("signatures:releases", domain.name)
