"""Drift: shows the mailboxes edited in Outreach and those left alone, and takes decisions about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from integrations.ledger.record import record_act
from integrations.models import READ_TO_END, Connection, Mailbox, SyncKind, SyncRun
from integrations.sync.runs import SyncRefused
from portal.access import Permission, get_actor, require
from portal.background import enqueue
from portal.csv_export import write_lines
from portal.models import Domain
from portal.reauth import recently_authenticated
from portal.templatetags.portal_tags import actor as say_actor
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.drift_check import request_reading
from signatures.delivery.drift_decisions import Decision, keep, list_decisions, replace
from signatures.delivery.drift_export import COLUMNS, list_rows
from signatures.delivery.drift_policy import Policies
from signatures.delivery.edits import Edit, describe_edits, list_edited
from signatures.delivery.left_alone import end_leaving_alone, list_left_alone
from signatures.delivery.report import count_mailboxes
from signatures.delivery.status import refresh_domain
from signatures.delivery.status_days import PERIODS, draw_days, list_days
from signatures.forms.drift import DecisionForm
from signatures.models import Group, LeftAlone, MailboxState, Sender
from signatures.senders.team_counts import SENDERS, get_statuses

from .common import get_page, get_situation, give_csv
from .previews import show_frame, show_sentence, show_signature

DECISIONS_SHOWN = 10
MOST_SENTENCES = 5


@dataclass(frozen=True, slots=True)
class Row:
    """An edited mailbox, the group whose policy counts for it, and when that acts; None where it does not."""

    edit: Edit
    group: Group | None
    due_at: datetime | None


@require(Permission.VIEW)
@require_safe
def drift(request: HttpRequest, domain: Domain) -> HttpResponse:
    return render(
        request, "signatures/drift/list.html", _describe(request, domain, DecisionForm(domain=domain))
    )


def _describe(request: HttpRequest, domain: Domain, form: DecisionForm) -> dict[str, Any]:
    situation = get_situation(domain)
    connection = situation.connection
    page = get_page(request, list_edited(connection))
    rows = _describe_rows(connection, list(page.object_list)) if connection else []
    asked = request.GET.get("mailbox", "")
    places = [place for place, row in enumerate(rows) if str(row.edit.state.pk) == asked]
    place = places[0] if places else 0
    asked_days = request.GET.get("days", "")
    period = int(asked_days) if asked_days in map(str, PERIODS) else PERIODS[0]
    days = list_days(domain, period)
    reading = SyncRun.objects.filter(connection=connection, state__in=READ_TO_END)
    numbers = get_statuses(domain) if connection else {}
    return {
        "situation": situation,
        "page_obj": page,
        "rows": rows,
        "shown": rows[place] if rows else None,
        "place": page.start_index() + place,
        "previous": rows[place - 1].edit.state.pk if place else None,
        "next": rows[place + 1].edit.state.pk if place + 1 < len(rows) else None,
        "form": form,
        "period": period,
        "periods": PERIODS,
        "days": days,
        "plot": draw_days(days),
        "compared_at": reading.exclude(kind=SyncKind.PEOPLE).values_list("finished_at", flat=True).first(),
        "mailbox_count": sum(numbers.values()) - numbers.get(SENDERS, 0),
        "left_alone_count": list_left_alone(domain).count(),
        "decisions": list_decisions(domain, DECISIONS_SHOWN),
    }


def _describe_rows(connection: Connection, states: Sequence[MailboxState]) -> list[Row]:
    policies = Policies(connection)
    return [
        Row(edit, policies.find_group(edit.state.sender), policies.get_due_at(edit.state))
        for edit in describe_edits(connection, states)
    ]


@require(Permission.VIEW)
@require_safe
def drift_frame(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show one side of an edited mailbox: `side` is theirs or ours."""
    connection = get_situation(domain).connection
    state = get_object_or_404(list_edited(connection), mailbox__in=Mailbox.objects.filter(pk=pk))
    view = request.GET.get("view", "light")
    if request.GET.get("side") == "theirs":
        if not state.mailbox.signature_html.strip():
            return show_sentence("No signature", view)
        # Unchanged, as it came from Outreach; the frame's content security policy makes it harmless.
        return show_frame(state.mailbox.signature_html, view)
    [edit] = describe_edits(state.mailbox.connection, [state])
    if edit.ours_html is None:
        return show_sentence("The live release renders nothing for this sender.", view)
    return show_signature(edit.ours_html, view)


@require(Permission.DELIVER)
@require_POST
def drift_decide(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Keep edits, or plan a delivery that replaces them; nothing is written by this."""
    form = DecisionForm(request.POST, domain=domain)
    connection = get_situation(domain).connection
    if not form.is_valid():
        return render(request, "signatures/drift/list.html", _describe(request, domain, form), status=422)
    if connection is None:
        messages.error(request, "Outreach is not connected. Nothing was changed.")
        return redirect("signatures:drift", domain.name)
    try:
        decision = _decide(request, connection, form)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
        return redirect("signatures:drift", domain.name)
    for sentence in decision.refused[:MOST_SENTENCES]:
        messages.warning(request, sentence)
    if len(decision.refused) > MOST_SENTENCES:
        messages.warning(request, f"{len(decision.refused) - MOST_SENTENCES} more were decided meanwhile.")
    if decision.run is not None:
        messages.info(
            request, f"Delivery planned for {count_mailboxes(decision.run.planned)}. Start it to write."
        )
        return redirect("signatures:delivery_run", domain.name, decision.run.pk)
    if decision.decided:
        number = count_mailboxes(len(decision.decided))
        is_kept = form.cleaned_data["decision"] == DecisionForm.KEEP
        messages.success(
            request, f"Edit kept in {number}." if is_kept else f"Nothing has to be written to {number}."
        )
    return redirect("signatures:drift", domain.name)


def _decide(request: HttpRequest, connection: Connection, form: DecisionForm) -> Decision:
    actor, chosen = get_actor(request), form.get_chosen()
    if form.cleaned_data["decision"] == DecisionForm.KEEP:
        return keep(connection, chosen, actor=actor.email, until=form.get_until(), say_actor=say_actor)
    return replace(
        connection,
        chosen,
        actor=actor.email,
        by=actor,
        takes_over=form.cleaned_data["decision"] == DecisionForm.TAKE_OVER,
        say_actor=say_actor,
    )


@require(Permission.DELIVER)
@require_POST
def drift_check(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Read every mailbox from Outreach and compare it; nothing is written."""
    connection = get_situation(domain).connection
    actor = get_actor(request)
    if connection is None:
        messages.error(request, "Outreach is not connected, so there is nothing to read.")
        return redirect("signatures:drift", domain.name)
    try:
        run = request_reading(connection, actor=actor.email, by=actor)
    except SyncRefused as refused:
        messages.error(request, str(refused))
    else:
        enqueue("integrations.tasks.sync_directory", run_id=run.pk)
        messages.info(request, "Reading every mailbox. You can leave this page; it continues.")
    return redirect("signatures:drift", domain.name)


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:drift", reading=True)
@require_safe
def drift_export(request: HttpRequest, domain: Domain) -> StreamingHttpResponse:
    """Download every edited mailbox as CSV, with both signatures as text."""
    connection = get_situation(domain).connection
    number = list_edited(connection).count()
    record_act(
        "edits downloaded",
        domain=domain,
        actor_label=get_actor(request).email,
        detail=f"{count_mailboxes(number)} edited in Outreach",
    )
    lines = write_lines(COLUMNS, list_rows(connection))
    return give_csv(lines, f"edited-{domain.name}")


@require(Permission.VIEW)
@require_safe
def left_alone(request: HttpRequest, domain: Domain) -> HttpResponse:
    page = get_page(request, list_left_alone(domain))
    owners = _find_owners(domain, list(page.object_list))
    context = {
        "situation": get_situation(domain),
        "page_obj": page,
        "rows": [(row, owners.get(row.mailbox_remote_id)) for row in page.object_list],
    }
    return render(request, "signatures/drift/left_alone.html", context)


def _find_owners(domain: Domain, rows: Sequence[LeftAlone]) -> dict[str, Sender]:
    """Return mailbox id -> the sender it belongs to now, where it is connected."""
    connection = get_situation(domain).connection
    mailboxes = Mailbox.objects.filter(
        connection=connection, remote_id__in=[row.mailbox_remote_id for row in rows], retired_at=None
    )
    people = dict(mailboxes.values_list("remote_id", "person_remote_id"))
    senders = Sender.objects.filter(domain=domain, person__remote_id__in=people.values())
    by_person = {sender.person.remote_id: sender for sender in senders.select_related("person", "group")}
    return {box: by_person[person] for box, person in people.items() if person in by_person}


@require(Permission.DELIVER)
@require_POST
def left_alone_end(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Let deliveries change the ticked mailboxes again."""
    ids = [int(each) for each in request.POST.getlist("row") if re.fullmatch("[0-9]{1,18}", each)]
    ended = end_leaving_alone(domain, ids, actor=get_actor(request).email)
    if not ended:
        messages.error(request, "Choose at least one mailbox that is still left alone. Nothing was changed.")
        return redirect("signatures:left_alone", domain.name)
    refresh_domain(domain, sender_ids=_list_owner_ids(domain, ended))
    messages.success(
        request, f"{count_mailboxes(len(ended))} managed again. The next delivery includes what differs."
    )
    return redirect("signatures:left_alone", domain.name)


def _list_owner_ids(domain: Domain, mailbox_ids: Sequence[str]) -> list[int]:
    states = MailboxState.objects.filter(domain=domain, mailbox__remote_id__in=mailbox_ids)
    return [pk for pk in states.values_list("sender", flat=True) if pk]
