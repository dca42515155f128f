"""Plans: leaves mailboxes out of a plan, and finds the people for a new one."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.plan_choice import leave_out, take_in
from signatures.delivery.report import count_mailboxes
from signatures.forms.deliveries import PeopleSearch, PlanForm
from signatures.models import DeliveryRun, Sender
from signatures.senders.listing import MOST_SUGGESTED, describe_senders, with_words

from .common import get_situation

MOST_CHOSEN = 200  # people, each in the address of the page


@require(Permission.DELIVER)
@require_POST
def delivery_choose(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Leave the ticked mailboxes out of a plan, or with `act=take_in` take them back; nothing is written."""
    run = get_object_or_404(DeliveryRun.objects.select_related("connection"), domain=domain, pk=pk)
    ids = _list_ids(request.POST.getlist("mailbox"))
    is_back = request.POST.get("act") == "take_in"
    try:
        number = (take_in if is_back else leave_out)(run, ids, actor=get_actor(request).email)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
    else:
        done = (
            "taken back into the plan"
            if is_back
            else f"left out. The {run.job_label.split()[0]} does not write to them"
        )
        messages.success(request, f"{count_mailboxes(number)} {done}.")
    page, query = reverse("signatures:delivery_run", args=[domain.name, pk]), request.GET.urlencode()
    return redirect(f"{page}{'?' if query else ''}{query}#mailboxes")


def _list_ids(written: list[str]) -> list[int]:
    return [int(each) for each in written if re.fullmatch("[0-9]{1,18}", each)]


@require(Permission.DELIVER)
@require_safe
def delivery_people(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Find people by a part of their name; the page's address lists those who were chosen."""
    search = PeopleSearch(request.GET)
    search.is_valid()
    ids = _list_ids(request.GET.getlist("person"))[:MOST_CHOSEN]
    chosen = Sender.objects.filter(domain=domain, pk__in=ids).select_related("person", "group")
    words = search.cleaned_data.get("q") or ""
    people = Sender.objects.filter(domain=domain, is_active=True).select_related("person", "group")
    found = with_words(people.exclude(pk__in=ids), words).order_by("name", "pk") if words else people.none()
    context = {
        "search": search,
        "words": words,
        "chosen": [(sender, _without(request, sender, ids)) for sender in chosen.order_by("name", "pk")],
        "rows": describe_senders(domain, found[:MOST_SUGGESTED], get_situation(domain).connection),
        "is_cut": found[MOST_SUGGESTED : MOST_SUGGESTED + 1].exists(),
        "plan_form": PlanForm(domain=domain),
    }
    return render(request, "signatures/deliveries/people.html", context)


def _without(request: HttpRequest, sender: Sender, ids: list[int]) -> str:
    """Return the query of this page without one of the chosen."""
    rest = [("person", pk) for pk in ids if pk != sender.pk]
    return urlencode([("q", request.GET.get("q", "")), *rest])
