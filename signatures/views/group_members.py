"""Group member views: create a group, say whom it takes, see who would change group, archive and restore."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.delivery.group_members import refresh_members
from signatures.forms.groups import GroupNameForm, MembersForm
from signatures.models import Group
from signatures.releases.draft import note_edit
from signatures.senders.group_preview import preview_group
from signatures.senders.grouping import get_group_rules
from signatures.senders.groups import (
    GroupRefused,
    archive_group,
    create_group,
    restore_group,
    set_membership,
)

from .common import PER_PAGE, say_drafted


def _get_group(domain: Domain, pk: int) -> Group:
    groups = Group.objects.filter(archived_at=None)
    group: Group = get_object_or_404(groups, domain=domain, pk=pk)
    return group


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_new(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Create a group as a draft; the next page says whom it takes."""
    form = GroupNameForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Enter a name for the new group. Nothing was created.")
        return redirect("signatures:groups", domain.name)
    actor = get_actor(request).email
    try:
        made = create_group(domain, form.cleaned_data["name"], actor=actor)
    except GroupRefused as refused:
        messages.error(request, f"{refused} Nothing was created.")
        return redirect("signatures:groups", domain.name)
    note_edit(domain, f"group:{made.pk}", actor=actor)
    messages.success(request, f"“{made}” created as a draft. Choose whom it takes.")
    return redirect("signatures:group_members", domain.name, made.pk)


@require(Permission.MANAGE_GROUPS)
@require_http_methods(["GET", "HEAD", "POST"])
def group_members(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Whom a group takes. Only "Save" saves; "Preview" and the pages of the preview show who would change group."""
    found = _get_group(domain, pk)
    if found.is_default:
        messages.error(request, "The default group takes everyone who is in no other group.")
        return redirect("signatures:group", domain.name, found.pk)
    stored = next(rule for rule in get_group_rules(domain) if rule.id == found.pk)
    if request.method != "POST":
        return _render(request, found, MembersForm(found, stored))
    form = MembersForm(found, stored, request.POST)
    if not {"save", "preview", "page"} & request.POST.keys():
        form.act(request.POST)
        return _render(request, found, form)
    membership = form.read()
    if membership is None:
        return _render(request, found, form, status=422)
    if "save" not in request.POST:
        preview = preview_group(domain, membership)
        page = Paginator(preview.changes, PER_PAGE).get_page(request.POST.get("page"))
        return _render(request, found, form, preview=preview, page=page)
    try:
        changed = set_membership(found, membership, actor=get_actor(request).email)
    except GroupRefused as refused:
        form.error = str(refused)
        return _render(request, found, form, status=422)
    return _finish(request, domain, found, changed, f"Members of “{membership.name}” saved as a draft.")


def _render(
    request: HttpRequest, group: Group, form: MembersForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    context = {"group": group, "form": form, "builder": form.conditions, **more}
    part = "_members.html" if getattr(request, "htmx", False) else "members.html"
    return render(request, f"signatures/groups/{part}", context, status=status)


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_archive(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Archive a group that follows no team, as a draft."""
    found = _get_group(domain, pk)
    try:
        changed = archive_group(found, actor=get_actor(request).email)
    except GroupRefused as refused:
        messages.error(request, str(refused))
        return redirect("signatures:group", domain.name, found.pk)
    return _finish(
        request, domain, found, changed, f"“{found}” archived as a draft.", page="signatures:groups"
    )


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_restore(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Take an archived group that follows no team into use again, as a draft."""
    found = get_object_or_404(Group, domain=domain, pk=pk)
    try:
        changed = restore_group(found, actor=get_actor(request).email)
    except GroupRefused as refused:
        messages.error(request, str(refused))
        return redirect("signatures:groups", domain.name)
    return _finish(request, domain, found, changed, f"“{found}” restored as a draft.")


def _finish(
    request: HttpRequest, domain: Domain, group: Group, changed: int, sentence: str, *, page: str = ""
) -> HttpResponse:
    note_edit(domain, f"group:{group.pk}", actor=get_actor(request).email)
    refresh_members(domain)
    moved = f"{changed} {'sender' if changed == 1 else 'senders'}" if changed else "No sender"
    say_drafted(request, domain, f"{sentence} {moved} changed group.")
    if page:
        return redirect(page, domain.name)
    return redirect("signatures:group", domain.name, group.pk)
