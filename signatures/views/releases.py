"""Releases: the drafts of a domain, publishing them, scheduled ones, the history and one release."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.connection.health import get_call_use
from portal.access import Permission, get_actor, may, require
from portal.background import enqueue
from portal.models import Domain
from signatures.delivery.after_release import follow
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.outlook import foresee
from signatures.delivery.permission import get_delivery_block_reason
from signatures.delivery.planning import make_scope, open_plan
from signatures.forms.releases import AgainForm, ReleaseForm
from signatures.models import DeliveryRun, Release, ReleaseRequest, ReleaseState, RequestState, Sender
from signatures.releases.candidate import Candidate, build_candidate
from signatures.releases.causes import PERSON, VALUES, Cause, list_causes, list_mailbox_audiences
from signatures.releases.changes import Change, describe_changes
from signatures.releases.content import list_changed_keys
from signatures.releases.live import get_content, get_live
from signatures.releases.publish import (
    PublishRefused,
    cancel_release,
    find_hindrance,
    go_live,
    publish,
    republish,
    requires_approval,
    settle_rollout,
)
from signatures.releases.reach import Audience, count_reach, list_audiences
from signatures.releases.requests import RequestRefused, ask
from signatures.releases.template_errors import list_template_errors
from signatures.senders.company_size import is_small
from signatures.tasks import plan_soon

from .common import find_own_sender, get_page, get_situation

RECENT_RELEASES = 5


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def releases(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show the unpublished changes and what publishing would do.

    A POST counts for the ticked ones, and changes nothing.
    """
    if request.method != "POST":
        return show_drafts(
            request, domain, leave=request.GET.getlist("leave"), form=ReleaseForm(domain=domain)
        )
    form = ReleaseForm(initial=request.POST.dict(), domain=domain)
    return show_drafts(request, domain, leave=get_left(request), form=form)


def get_left(request: HttpRequest) -> list[str]:
    """Return the keys that were shown and not ticked, without those that a button includes."""
    ticked = {*request.POST.getlist("key"), *request.POST.get("also", "").split()}
    shown = (each.partition(" ")[0] for each in request.POST.getlist("seen"))
    return [key for key in shown if key not in ticked]


def show_drafts(
    request: HttpRequest, domain: Domain, *, leave: list[str], form: ReleaseForm, status: int = 200
) -> HttpResponse:
    """Show every draft with its difference and reach, those in `leave` left out, and what publishing would do."""
    candidate = build_candidate(domain, leave=leave)
    situation = get_situation(domain)
    audiences = list_audiences(domain, candidate.before, candidate.draft)
    reach = count_reach(candidate.before, candidate.draft, candidate.keys, audiences)
    changes = describe_changes(domain, candidate.before, candidate.draft, candidate.keys, candidate.values)
    mailboxes = list_mailbox_audiences(situation.connection, candidate)
    outlook = foresee(situation.connection, candidate, mailboxes)
    errors = list_template_errors(domain, candidate.before, candidate.content, audiences)
    published = Release.objects.filter(domain=domain).exclude(state=ReleaseState.SCHEDULED)
    recent = list(published[:RECENT_RELEASES])
    context = {
        "situation": situation,
        "unreadable": get_delivery_block_reason(situation.connection),
        "candidate": candidate,
        "draft_count": len(candidate.keys),  # of the menu
        "rows": [(change, change.key in candidate.chosen, reach[change.key]) for change in changes],
        "leave": urlencode([("leave", key) for key in candidate.keys if key not in candidate.chosen]),
        "authors": sorted({change.edited_by for change in changes if change.edited_by}),
        "missing": _name_missing(candidate, {change.key: change.title for change in changes}),
        "errors": errors,
        "is_incomplete": bool(candidate.missing or errors)
        or (candidate.live is not None and not candidate.chosen),
        "outlook": outlook,
        "causes": name_causes(candidate, mailboxes, audiences, changes),
        "calls": get_call_use(situation.connection, at=timezone.now()),
        "form": form,
        "next_number": (recent[0].number if recent else 0) + 1,
        "scheduled": _describe_scheduled(domain),
        "recent": recent,
        "may_edit": may(request, Permission.EDIT_SIGNATURES),
        "requires_approval": requires_approval(domain),
        "requests": ReleaseRequest.objects.filter(domain=domain, state=RequestState.ASKED),
    }
    return render(request, "signatures/releases/drafts.html", context, status=status)


def name_causes(
    candidate: Candidate, mailboxes: list[Audience], people: list[Audience], changes: list[Change]
) -> list[tuple[str, str, Cause]]:
    """Return what each cause is called, and its kind. mailboxes, people: audiences of them."""
    names = {change.key: (change.title, change.kind) for change in changes}
    single = sum(key.startswith("person:") for key in candidate.chosen)
    names[PERSON] = (f"Templates of {single} single sender{'s' if single != 1 else ''}", "")
    number = len(candidate.chosen_values)
    names[VALUES] = (f"Values of {number} {'person' if number == 1 else 'people'}", "")
    return [(*names[cause.key], cause) for cause in list_causes(candidate, mailboxes, people)]


def _name_missing(candidate: Candidate, titles: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return for drafts that need each other: what was chosen, what was left out, and all their keys."""
    named = []
    for keys in candidate.missing:
        chosen = ", ".join(f"“{titles[key]}”" for key in keys if key in candidate.chosen)
        left = ", ".join(f"“{titles[key]}”" for key in keys if key not in candidate.chosen)
        named.append((chosen, left, " ".join(keys)))
    return named


def _describe_scheduled(domain: Domain) -> list[tuple[Release, str]]:
    """Return each scheduled release, and why it will not go live, or ''."""
    waiting = Release.objects.filter(domain=domain, state=ReleaseState.SCHEDULED).select_related("domain")
    return [(release, find_hindrance(release)) for release in waiting.order_by("publish_at")]


@require(Permission.PUBLISH)
@require_POST
def release_publish(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Publish the ticked drafts, now or at a set time, and plan their delivery to the whole domain."""
    form, actor = ReleaseForm(request.POST, domain=domain), get_actor(request)
    keys = request.POST.getlist("key")
    seen = dict(each.split(" ", 1) for each in request.POST.getlist("seen") if " " in each)
    own = find_own_sender(request, domain) if "only_me" in request.POST else None
    if form.is_valid() and "only_me" in request.POST:
        form.check_only_me(own)
    if not form.is_valid():
        return show_drafts(request, domain, leave=get_left(request), form=form, status=422)
    try:
        release = publish(
            domain,
            keys=keys,
            note=form.cleaned_data["note"],
            by=actor,
            actor=actor.email,
            publish_at=form.cleaned_data["publish_at"],
            seen={key: seen.get(key, "") for key in keys},
            rollout=form.get_rollout(),
        )
    except PublishRefused as refused:
        messages.error(request, str(refused))
        return show_drafts(request, domain, leave=get_left(request), form=form, status=422)
    if release.state == ReleaseState.SCHEDULED:
        messages.success(request, f"{release} is scheduled. No mailbox changes before then.")
        return redirect("signatures:releases", domain.name)
    return plan_release(request, domain, release, only=own)


def plan_release(
    request: HttpRequest, domain: Domain, release: Release, *, only: Sender | None = None
) -> HttpResponse:
    """Redirect to the plan of what a live release changes; nothing is written until it is started.

    only: the one sender whom it is delivered to first; None for everybody.
    """
    actor = get_actor(request)
    if is_small(domain):
        follow(release)
    else:
        enqueue("signatures.tasks.follow_release", release_id=release.pk)
    try:
        scope = make_scope(sender_ids=[only.pk] if only else None)
        run = open_plan(domain, actor=actor.email, by=actor, scope=scope)
    except DeliveryBlocked as blocked:
        messages.warning(request, f"{release} is live. No mailbox has it yet: {blocked}")
        return redirect("signatures:releases", domain.name)
    plan_soon(run)
    messages.success(request, f"{release} is live. No mailbox has it yet: review the plan, then start it.")
    return redirect("signatures:delivery_run", domain.name, run.pk)


def lead_to(request: HttpRequest, asked: ReleaseRequest) -> HttpResponse:
    """Lead to the page of what was just asked for, and have the mails sent."""
    enqueue("signatures.tasks.send_request_mails")
    messages.success(
        request, "Approval is asked for. Whoever may approve it gets an e-mail; nothing is published before."
    )
    return redirect("signatures:release_request", asked.domain.name, asked.pk)


def _get_release(domain: Domain, number: int) -> Release:
    release: Release = get_object_or_404(domain.releases.select_related("made_from"), number=number)
    return release


@require(Permission.PUBLISH)
@require_POST
def release_now(request: HttpRequest, domain: Domain, number: int) -> HttpResponse:
    """Make a scheduled release live before its time, and show its plan."""
    release = _get_release(domain, number)
    try:
        release = go_live(release, actor=get_actor(request).email)
    except PublishRefused as refused:
        messages.error(request, str(refused))
        return redirect("signatures:releases", domain.name)
    settle_rollout(release)
    return plan_release(request, domain, release)


@require(Permission.PUBLISH)
@require_POST
def release_cancel(request: HttpRequest, domain: Domain, number: int) -> HttpResponse:
    release = _get_release(domain, number)
    try:
        cancel_release(release, actor=get_actor(request).email)
    except PublishRefused as refused:
        messages.error(request, str(refused))
    else:
        messages.info(request, f"{release} is cancelled. Its changes are still drafts.")
    return redirect("signatures:releases", domain.name)


@require(Permission.PUBLISH)
@require_POST
def release_again(request: HttpRequest, domain: Domain, number: int) -> HttpResponse:
    """Make an earlier release's content live again, as a new release, or ask a second person to."""
    release, actor, form = _get_release(domain, number), get_actor(request), AgainForm(request.POST)
    if not form.is_valid() or release.published_at is None:
        messages.error(
            request,
            "Nothing was published. Notes have at most 500 characters, and only releases that "
            "were live can be published again.",
        )
        return redirect("signatures:release", domain.name, number)
    note = form.cleaned_data["note"]
    try:
        if requires_approval(domain):
            return lead_to(request, ask(domain, again=release, note=note, by=actor))
        again = republish(release, note=note, by=actor, actor=actor.email)
    except (PublishRefused, RequestRefused) as refused:
        messages.error(request, str(refused))
        return redirect("signatures:release", domain.name, number)
    return plan_release(request, domain, again)


@require(Permission.VIEW)
@require_safe
def release_history(request: HttpRequest, domain: Domain) -> HttpResponse:
    context = {"page_obj": get_page(request, Release.objects.filter(domain=domain))}
    return render(request, "signatures/releases/history.html", context)


@require(Permission.VIEW)
@require_safe
def release(request: HttpRequest, domain: Domain, number: int) -> HttpResponse:
    """Show what one release changed against the one before, who published it, and its deliveries."""
    found = _get_release(domain, number)
    before = _get_before(found)
    content, earlier = get_content(found), get_content(before)
    values: dict[int, list[dict[str, Any]]] = {}
    for value in found.rollout.get("values", []):
        values.setdefault(value["sender"], []).append(value)
    named = Sender.objects.filter(domain=domain).in_bulk(values)
    context = {
        "release": found,
        "before": before,
        "live": get_live(domain),
        "requires_approval": requires_approval(domain),
        "asked": ReleaseRequest.objects.filter(release=found).first(),
        "changes": describe_changes(domain, earlier, content, list_changed_keys(earlier, content)),
        "values": [(named.get(pk), typed) for pk, typed in values.items()],
        "runs": DeliveryRun.objects.filter(domain=domain, release=found)[:RECENT_RELEASES],
        "form": AgainForm(),
    }
    return render(request, "signatures/releases/detail.html", context)


def _get_before(release: Release) -> Release | None:
    """Return the release that was live before this one; for one that was not live yet, the live one."""
    if release.published_at is None:
        return get_live(release.domain)
    earlier = Release.objects.filter(domain=release.domain, published_at__lt=release.published_at)
    return earlier.order_by("-published_at", "-number").first()
