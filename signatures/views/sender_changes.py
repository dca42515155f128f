"""Sender changes views: what senders changed and somebody has to approve, decided one by one or many at once."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.delivery.status import refresh_domain
from signatures.forms.self_service import DecisionForm
from signatures.models import ChangeState, SenderChange
from signatures.self_service.changes import ChangeRefused, approve_changes, decline_changes, list_waiting
from signatures.self_service.photos import remove_unused
from signatures.senders.vocabulary import get_vocabulary

from .common import get_page

RECENT = 20


@require(Permission.VIEW)
@require_safe
def sender_changes(request: HttpRequest, domain: Domain) -> HttpResponse:
    """List what waits for approval, and what was changed last."""
    return _show(request, domain, DecisionForm())


def _show(request: HttpRequest, domain: Domain, form: DecisionForm) -> HttpResponse:
    fields = get_vocabulary(domain).by_name
    page = get_page(request, list_waiting(domain))
    done = SenderChange.objects.filter(sender__domain=domain).exclude(state=ChangeState.WAITING)
    recent = done.exclude(state=ChangeState.REPLACED).select_related("sender")[:RECENT]
    context = {
        "form": form,
        "page_obj": page,
        "rows": [(change, fields.get(change.field)) for change in page.object_list],
        "recent": [(change, fields.get(change.field)) for change in recent],
    }
    status = 422 if form.errors else 200
    return render(request, "signatures/senders/changes.html", context, status=status)


@require(Permission.PUBLISH)
@require_POST
def sender_changes_decide(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Approve or decline the ticked changes; those that somebody else decided meanwhile are left out."""
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _show(request, domain, form)
    actor, ids = get_actor(request).email, form.cleaned_data["change"]
    try:
        if form.cleaned_data["decision"] == "approve":
            done = approve_changes(domain, ids, actor=actor)
            if done:
                refresh_domain(domain, sender_ids=sorted({one.sender_id for one in done}))
            said = "approved. They go in with the next delivery."
        else:
            done = decline_changes(domain, ids, actor=actor, comment=form.cleaned_data["comment"])
            said = "declined. Their senders are told by e-mail."
    except ChangeRefused as refused:
        form.add_error(None, str(refused))
        return _show(request, domain, form)
    for sender in {one.sender_id: one.sender for one in done}.values():
        sender.refresh_from_db(fields=["own_values"])
        remove_unused(sender, actor=actor)
    if done:
        messages.success(request, f"{len(done):,} change{'' if len(done) == 1 else 's'} {said}")
    if len(done) < len(set(ids)):
        messages.warning(request, "Some were decided or replaced meanwhile, and stay as they are.")
    return redirect("signatures:sender_changes", domain.name)
