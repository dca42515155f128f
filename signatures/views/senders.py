"""Sender views: list, and one sender with values, sources, template, mailboxes and deliveries."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.errors import IntegrationError
from portal.access import Permission, get_actor, may, require
from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.drift_check import check_sender
from signatures.delivery.past_signatures import list_held
from signatures.delivery.placements import get_placements
from signatures.delivery.status import refresh_sender
from signatures.delivery.texts import find_kept
from signatures.forms.bulk import ACTS, SavedViewForm
from signatures.forms.dated_assignments import DatedAssignmentForm
from signatures.forms.media import MediaChoiceForm
from signatures.forms.senders import DateForm, OwnValuesForm, SenderFilters
from signatures.forms.templates import TemplateChoiceForm
from signatures.models import (
    DatedAssignment,
    Delivery,
    MailboxState,
    MediaKind,
    Placement,
    Sender,
    Snapshot,
    Template,
    ValueDraft,
)
from signatures.releases.draft import build_draft
from signatures.releases.explanation import explain_on
from signatures.releases.live import get_live, get_live_content
from signatures.self_service.accounts import describe_sender
from signatures.senders import listing
from signatures.senders.draft_rows import read_draft_rows
from signatures.senders.field_sources import get_field_sources
from signatures.senders.mailbox_status import get_fallback_template, get_mailboxes
from signatures.senders.numbers import list_typed_numbers
from signatures.senders.saved_views import list_views
from signatures.senders.values import set_own_values, store_own

from .bulk import NEEDS
from .common import (
    TYPED_NUMBER,
    VIEWS,
    Situation,
    assign_from_form,
    describe_dated,
    get_page,
    get_situation,
    say_drafted,
    values_wait,
)
from .media_choice import say_unfit, take_choice

RECENT_DELIVERIES = 10
PHOTO = "sender.photo_url"
SIDES = (("next", "Next delivery"), ("mailbox", "In the mailbox"), ("original", "Original"))


@require(Permission.VIEW)
@require_safe
def senders(request: HttpRequest, domain: Domain) -> HttpResponse:
    situation = get_situation(domain)
    fallback = get_fallback_template(domain)
    filters = SenderFilters(request.GET, domain=domain)
    sort = request.GET.get("sort", "name")
    found = listing.find_senders(
        domain, situation.connection, fallback=fallback, sort=sort, **filters.get_choices()
    )
    page = get_page(request, found)
    context = {
        "situation": situation,
        "lost": situation.list_lost("people", "mailboxes"),
        "filters": filters,
        "pairs": [(name, request.GET[name]) for name in filters.fields if request.GET.get(name)],
        "views": list_views(domain, get_actor(request)),
        "view_form": SavedViewForm(),
        "acts": [(act, label) for act, label in ACTS if may(request, NEEDS[act])],
        "is_filtered": any(request.GET.get(name) for name in filters.fields),
        "sort": sort,
        "columns": [("name", "Name"), ("title", "Title"), ("group", "Group"), ("template", "Template")],
        "page_obj": page,
        "rows": listing.describe_senders(domain, page.object_list, situation.connection),
    }
    return render(request, "signatures/senders/list.html", context)


def get_sender(domain: Domain, pk: int) -> Sender:
    """Return a sender of this domain; raises Http404."""
    sender: Sender = get_object_or_404(domain.senders.select_related("person", "group"), pk=pk)
    return sender


@require(Permission.VIEW)
@require_safe
def sender_suggestions(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Suggest senders whose name or address contains the words of `sender`."""
    found = listing.suggest_senders(domain, request.GET.get("sender", ""))
    return render(request, "signatures/senders/_choices.html", {"senders": found})


@require(Permission.VIEW)
@require_safe
def sender(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_sender(domain, pk)
    return render(request, "signatures/senders/detail.html", describe_sender_page(request, domain, found))


def describe_sender_page(request: HttpRequest, domain: Domain, sender: Sender) -> dict[str, Any]:
    """Return what the page of a sender shows, with a form of their values as they are."""
    return _describe(request, domain, sender, _make_form(request, sender))


def _make_form(request: HttpRequest, sender: Sender, data: QueryDict | None = None) -> OwnValuesForm:
    """Return the form of a sender's own values; who may not publish goes on from the drafts that wait."""
    waiting = sender.value_drafts.all() if values_wait(request, sender.domain) else ValueDraft.objects.none()
    initial = dict(waiting.values_list("field", "value"))
    is_admin = may(request, Permission.MANAGE_DOMAIN)
    return OwnValuesForm(data, instance=sender, initial=initial, is_admin=is_admin)


def _describe(request: HttpRequest, domain: Domain, sender: Sender, form: OwnValuesForm) -> dict[str, Any]:
    situation = get_situation(domain)
    mailboxes = list(
        get_mailboxes(situation.connection)
        .filter(person_remote_id=sender.person.remote_id)
        .select_related("state")
    )
    status, reason = listing.get_status(sender, mailboxes)
    draft = build_draft(domain)
    why = explain_on(draft, sender, domain.get_today())
    recent = Delivery.objects.filter(sender=sender).select_related(
        "run__release", "template_version__template"
    )
    deliveries = list(recent.order_by("-id")[:RECENT_DELIVERIES])
    view = request.GET.get("view", "light")
    sources, side = get_field_sources(sender), request.GET.get("side", "next")
    has_drafts = any(row.id == sender.pk for row in read_draft_rows(domain, "values"))
    drafts = {draft.field: draft for draft in sender.value_drafts.all()} if has_drafts else {}
    is_closed = PHOTO not in form.fields or form.fields[PHOTO].disabled
    return {
        "view": view if view in VIEWS else "light",
        "side": side if side in dict(SIDES) else "next",
        "sides": SIDES,
        "live": get_live(domain),
        "state": _find_state(mailboxes, status),
        "placement": _get_last_placement(situation, mailboxes),
        **_describe_date(request, sender),
        "situation": situation,
        "sender": sender,
        "status": status,
        "status_label": dict(listing.STATES)[status],
        "reason": reason,
        "why": why,
        "template": Template.objects.filter(pk=why.template_id or 0).select_related("current").first(),
        "choice": TemplateChoiceForm(
            domain=domain,
            otherwise="Inherit from group",
            initial={"template": draft.people.get(sender.pk)},
            auto_id="choose_%s",
        ),
        "dated": describe_dated(sender, domain),
        "dated_form": DatedAssignmentForm(
            instance=DatedAssignment(domain=domain, sender=sender), domain=domain
        ),
        "form": form,
        "photo": None if is_closed else MediaChoiceForm(domain=domain, kind=MediaKind.PHOTO),
        "draft_number": len(drafts),
        "sources": [
            (one, drafts.get(one.field.name)) for one in sources if one.value or one.field.name in drafts
        ],
        "missing": [one for one in sources if not one.value and one.field.name not in drafts],
        "mailboxes": _with_originals(domain, situation, mailboxes),
        "self_service": describe_sender(sender),
        "deliveries": deliveries,
        "kept": find_kept(domain.pk, [one.rendered_sha256 for one in deliveries]),
    }


def _find_state(mailboxes: list[Any], status: str) -> MailboxState | None:
    """Return the state that has this status for longest."""
    states = (box.state for box in mailboxes if box.status == status and hasattr(box, "state"))
    return min(states, key=lambda state: state.since, default=None)


def _get_last_placement(situation: Situation, mailboxes: list[Any]) -> Placement | None:
    """Return our last write to any of these mailboxes."""
    if situation.connection is None:
        return None
    placed = get_placements(situation.connection, [mailbox.remote_id for mailbox in mailboxes])
    return max(placed.values(), key=lambda one: one.placed_at, default=None)


def _describe_date(request: HttpRequest, sender: Sender) -> dict[str, Any]:
    """Return the requested date, and what each mailbox held at its end in the domain's time zone.

    From today on: the template that the live release gives.
    """
    form = DateForm(request.GET if request.GET.get("on") else None)
    if not form.is_valid():
        return {"date_form": form}
    day = form.cleaned_data["on"]
    if day >= sender.domain.get_today():
        why = explain_on(get_live_content(sender.domain), sender, day)
        template = Template.objects.filter(pk=why.template_id or 0).first()
        return {"date_form": form, "on": day, "ahead": why, "ahead_template": template}
    at = datetime.combine(day, time.max, tzinfo=ZoneInfo(sender.domain.time_zone))
    return {"date_form": form, "on": day, "held": list_held(sender, at)}


def _with_originals(
    domain: Domain, situation: Situation, mailboxes: list[Any]
) -> list[tuple[Any, Snapshot | None]]:
    """Return each mailbox with its original, if stored."""
    if situation.connection is None:
        return []
    kept = Snapshot.objects.filter(
        domain=domain,
        account_key=situation.connection.account_key,
        mailbox_remote_id__in=[mailbox.remote_id for mailbox in mailboxes],
    )
    by_mailbox = {snapshot.mailbox_remote_id: snapshot for snapshot in kept}
    return [(mailbox, by_mailbox.get(mailbox.remote_id)) for mailbox in mailboxes]


@require(Permission.EDIT_SIGNATURES)
@require_POST
def sender_values(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_sender(domain, pk)
    photo, data = take_choice(request, domain, kind=MediaKind.PHOTO, field=PHOTO, name=found.name)
    form = _make_form(request, found, data)
    if not form.is_valid() or photo.errors:
        context = _describe(request, domain, found, form) | {"photo": photo}
        return render(request, "signatures/senders/detail.html", context, status=422)
    waits, typed = values_wait(request, domain), form.get_values()
    if list_typed_numbers(store_own(found, typed)):
        messages.warning(request, TYPED_NUMBER)
    set_own_values(found, typed, actor=get_actor(request).email, waits=waits)
    refresh_sender(found)
    if waits and ValueDraft.objects.filter(sender=found).exists():
        say_drafted(request, domain, f"Values of {found} saved as drafts.")
    else:
        messages.success(request, f"Values of {found} saved. They apply with the next delivery.")
    if PHOTO in form.changed_data:
        say_unfit(request, form.cleaned_data[PHOTO])
    return redirect("signatures:sender", domain.name, found.pk)


@require(Permission.MANAGE_GROUPS)
@require_POST
def sender_template(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_sender(domain, pk)
    assign_from_form(request, domain, name=str(found), inherited="the group’s template", sender=found)
    return redirect("signatures:sender", domain.name, found.pk)


@require(Permission.DELIVER)
@require_POST
def sender_check(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Compare this person's mailboxes in Outreach with what was delivered; changes nothing."""
    found = get_sender(domain, pk)
    try:
        report = check_sender(found, actor=get_actor(request).email)
    except (DeliveryBlocked, IntegrationError) as error:
        messages.error(request, str(error))
        return redirect("signatures:sender", domain.name, found.pk)
    for drifted in report.edited:
        now = (
            "has its original signature"
            if drifted.holds_original
            else "was edited in Outreach since the last delivery"
        )
        messages.warning(
            request,
            f"{drifted.email} {now}. Deliveries do not change that, except with “Overwrite manual edits”.",
        )
    if report.missing:
        messages.warning(
            request, "Outreach no longer lists one of these mailboxes. The next sync removes it here."
        )
    if not report.has_drift:
        messages.success(
            request,
            "Checked in Outreach: every delivered signature is up to date."
            if report.matching
            else "Checked in Outreach: nothing was delivered there yet.",
        )
    return redirect("signatures:sender", domain.name, found.pk)
