"""Bulk actions: senders that were ticked, or all that filters find, get a template, a plan of a delivery or an export.

Each asks first, on a page that says how many senders it is for and who they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, check_permission, get_actor, require
from portal.models import Domain
from signatures.authoring.assign_many import assign_to_senders
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.group_members import refresh_members
from signatures.delivery.planning import make_scope, open_plan
from signatures.delivery.restore_plan import Target, open_restore
from signatures.forms.bulk import (
    ACTS,
    ASSIGN,
    DELIVER,
    EXPORT,
    GROUP,
    RESTORE,
    BulkAssignForm,
    BulkForm,
    BulkGroupForm,
    SavedViewForm,
)
from signatures.forms.senders import SenderFilters
from signatures.models import SavedView, Sender
from signatures.releases.draft import note_edit
from signatures.senders.choice import find_chosen
from signatures.senders.groups import GroupRefused, include_senders
from signatures.senders.saved_views import ViewRefused, delete_view, list_views, save_view
from signatures.tasks import plan_soon

from .common import get_situation, say_drafted

MOST_NAMED = 50  # senders on the page that asks
NEEDS = {
    ASSIGN: Permission.MANAGE_GROUPS,
    GROUP: Permission.MANAGE_GROUPS,
    DELIVER: Permission.DELIVER,
    RESTORE: Permission.DELIVER,
    EXPORT: Permission.VIEW,
}
ACT_FORMS: dict[str, Callable[..., Form]] = {ASSIGN: BulkAssignForm, GROUP: BulkGroupForm}


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def senders_bulk(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Ask whether to act on the chosen senders, and with POST do it."""
    form = BulkForm(request.POST if request.method == "POST" else request.GET, domain=domain)
    if not form.is_valid():
        problems = [problem for field in form.errors.values() for problem in field]
        messages.error(request, f"{problems[0]} Nothing was changed.")
        return redirect("signatures:senders", domain.name)
    act = form.cleaned_data["act"]
    check_permission(request, domain, NEEDS[act])
    if act == EXPORT:
        return redirect(
            f"{reverse('signatures:value_export', args=[domain.name])}?{urlencode(_list_pairs(form))}"
        )
    chosen = find_chosen(domain, get_situation(domain).connection, **form.get_choice())
    number = chosen.count()
    act_form = ACT_FORMS[act](request.POST or None, domain=domain) if act in ACT_FORMS else None
    if request.method == "POST":
        if form.cleaned_data["number"] != number:
            messages.error(
                request, "The filters find other senders by now. Nothing was changed. Check the number."
            )
        elif act_form is None:
            return _plan(request, domain, act, form.get_choice())
        elif act_form.is_valid():
            return (_assign if act == ASSIGN else _put)(request, domain, chosen, act_form)
    context = {
        "act": act,
        "act_label": dict(ACTS)[act],
        "number": number,
        "named": chosen[:MOST_NAMED],
        "act_form": act_form,
        "hidden": list(_list_pairs(form)),
    }
    return render(request, "signatures/senders/bulk.html", context)


def _list_pairs(form: BulkForm) -> list[tuple[str, str]]:
    """Return what names the chosen senders again: their ids, or the filters."""
    if form.cleaned_data["all"]:
        filters = [(name, str(form.data.get(name, ""))) for name in SenderFilters.base_fields]
        return [("all", "1"), *((name, value) for name, value in filters if value)]
    return [("sender", str(sender.pk)) for sender in form.cleaned_data["sender"]]


def _assign(request: HttpRequest, domain: Domain, chosen: QuerySet[Sender], form: Form) -> HttpResponse:
    template = form.cleaned_data["template"]
    number = assign_to_senders(domain, chosen, template=template, actor=get_actor(request).email)
    people = "1 sender" if number == 1 else f"{number:,} senders"
    what = (
        f"“{template}” assigned to {people}" if template else f"{people} inherit the template of their group"
    )
    say_drafted(request, domain, f"{what}, as a draft.")
    return redirect("signatures:senders", domain.name)


def _put(request: HttpRequest, domain: Domain, chosen: QuerySet[Sender], form: Form) -> HttpResponse:
    """Have a group take the chosen senders by hand."""
    group, actor = form.cleaned_data["group"], get_actor(request).email
    ids = list(chosen.order_by("pk").values_list("pk", flat=True))
    try:
        note_edit(domain, f"group:{group.pk}", actor=actor)
        changed = include_senders(group, ids, actor=actor)
        refresh_members(domain)
    except GroupRefused as refused:
        messages.error(request, str(refused))
        return redirect("signatures:senders", domain.name)
    people = "1 sender" if changed == 1 else f"{changed:,} senders"
    say_drafted(request, domain, f"“{group}” takes whom you chose; {people} changed group, as a draft.")
    return redirect("signatures:senders", domain.name)


def _plan(request: HttpRequest, domain: Domain, act: str, choice: dict[str, Any]) -> HttpResponse:
    """Plan a delivery or a restore; nothing is written by it."""
    actor = get_actor(request)
    try:
        if act == DELIVER:
            run = open_plan(domain, actor=actor.email, by=actor, scope=make_scope(**choice))
        else:
            run = open_restore(domain, Target(), actor=actor.email, by=actor, **choice)
    except DeliveryBlocked as blocked:
        messages.error(request, str(blocked))
        return redirect("signatures:senders", domain.name)
    plan_soon(run)
    return redirect("signatures:delivery_run", domain.name, run.pk)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def view_save(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Keep the list's filters under a name."""
    form, filters = SavedViewForm(request.POST), SenderFilters(request.POST, domain=domain)
    filters.is_valid()
    pairs = [(name, str(request.POST.get(name, ""))) for name in filters.cleaned_data]
    query = urlencode([(name, value) for name, value in pairs if value])
    address = f"{reverse('signatures:senders', args=[domain.name])}?{query}"
    if not form.is_valid() or not query:
        messages.error(request, "Choose filters and give them a name. Nothing was saved.")
        return redirect(address)
    chosen = form.cleaned_data
    try:
        view = save_view(
            domain, name=chosen["name"], query=query, by=get_actor(request), is_shared=chosen["is_shared"]
        )
    except ViewRefused as refused:
        messages.error(request, f"{refused.message} Nothing was saved.")
    else:
        messages.success(request, f"View “{view}” saved.")
    return redirect(address)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def view_delete(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Delete one's own view, or a shared one."""
    actor = get_actor(request)
    view: SavedView = get_object_or_404(list_views(domain, actor), pk=pk)
    name = str(view)
    delete_view(view, by=actor)
    messages.success(request, f"View “{name}” deleted.")
    return redirect("signatures:senders", domain.name)
