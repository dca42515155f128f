"""Dated assignment views: templates that a group or a sender has for some days are added and removed."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.authoring.dated_assignments import add_dated_assignment, remove_dated_assignment
from signatures.forms.dated_assignments import DatedAssignmentForm
from signatures.models import DatedAssignment

from .common import say_drafted
from .groups import describe_group, get_group
from .senders import describe_sender_page, get_sender


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_dated_add(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Add a template for some days to a group."""
    group = get_group(domain, pk)
    form = _add(request, domain, DatedAssignment(domain=domain, group=group))
    if not form.errors:
        return redirect("signatures:group", domain.name, pk)
    context = describe_group(request, domain, group) | {"dated_form": form}
    return render(request, "signatures/groups/detail.html", context, status=422)


@require(Permission.MANAGE_GROUPS)
@require_POST
def sender_dated_add(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Add a template for some days to one sender."""
    sender = get_sender(domain, pk)
    form = _add(request, domain, DatedAssignment(domain=domain, sender=sender))
    if not form.errors:
        return redirect("signatures:sender", domain.name, pk)
    context = describe_sender_page(request, domain, sender) | {"dated_form": form}
    return render(request, "signatures/senders/detail.html", context, status=422)


def _add(request: HttpRequest, domain: Domain, assignment: DatedAssignment) -> DatedAssignmentForm:
    """Add the assignment, or return the form with errors."""
    form = DatedAssignmentForm(request.POST, instance=assignment, domain=domain)
    if form.is_valid():
        try:
            add_dated_assignment(form.instance, actor=get_actor(request).email)
        except ValidationError as overlap:  # somebody else added one meanwhile
            form.add_error(None, overlap)
        else:
            say_drafted(request, domain, f"“{assignment.template}” assigned with dates as a draft.")
    return form


@require(Permission.MANAGE_GROUPS)
@require_POST
def dated_remove(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Remove a template for some days from its group or sender."""
    found: DatedAssignment = get_object_or_404(
        DatedAssignment.objects.select_related("domain", "template", "group", "sender"), domain=domain, pk=pk
    )
    remove_dated_assignment(found, actor=get_actor(request).email)
    say_drafted(request, domain, f"“{found.template}” with dates removed as a draft.")
    if found.group_id:
        return redirect("signatures:group", domain.name, found.group_id)
    return redirect("signatures:sender", domain.name, found.sender_id)
