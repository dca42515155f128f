"""Template views: list, and the editor that saves versions."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.authoring.checks import check_source, count_people
from signatures.authoring.completions import get_completions
from signatures.authoring.empty_fields import find_missing_values
from signatures.authoring.preview import render_source
from signatures.authoring.sample_mail import SampleRefused, send_sample
from signatures.authoring.starters import STARTERS
from signatures.authoring.templates import assign_template, install_starters, save_template
from signatures.forms.blocks import BlockEditor, with_source
from signatures.forms.templates import GroupsChoiceForm, TemplateForm
from signatures.models import DatedAssignment, DateState, Group, Sender, Template, TemplateVersion
from signatures.rendering import RenderRefused, TemplateError
from signatures.senders.dated_rows import list_dated
from signatures.senders.listing import (
    SenderNotChosen,
    choose_sender,
    count_senders_by_template,
    suggest_senders,
)
from signatures.senders.mailbox_status import get_fallback_template
from signatures.senders.vocabulary import get_vocabulary
from signatures.tasks import count_empty_soon

from .client_looks import CLIENT_CHOICES
from .common import say_drafted
from .media_choice import offer_media, say_unfit_images
from .pinned import PINS


def _get_template(domain: Domain, pk: int) -> Template:
    found = domain.templates.select_related("current").filter(archived_at=None)
    template: Template = get_object_or_404(found, pk=pk)
    if template.current is not None:
        template.current.template = template
    return template


@require(Permission.VIEW)
@require_safe
def templates(request: HttpRequest, domain: Domain) -> HttpResponse:
    carriers = count_senders_by_template(domain, fallback=get_fallback_template(domain))
    rows = Template.objects.filter(domain=domain, archived_at=None).select_related("current")
    context = {
        "rows": [(template, carriers.get(template.pk, 0)) for template in rows],
        "uncarried": carriers.get(None, 0),
    }
    return render(request, "signatures/templates/list.html", context)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_starters(request: HttpRequest, domain: Domain) -> HttpResponse:
    installed = install_starters(domain, actor=get_actor(request).email)
    if installed:
        messages.success(request, f"{len(installed)} templates added. Each save creates a version.")
    else:
        messages.info(request, "Templates already exist, so none was added.")
    return redirect("signatures:templates", domain.name)


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def template_new(request: HttpRequest, domain: Domain) -> HttpResponse:
    starter = next((one for one in STARTERS if one.slug == request.GET.get("starter")), None)
    if request.method == "POST":
        editor = BlockEditor.from_post(request.POST, get_vocabulary(domain))
        form = TemplateForm(with_source(request.POST, editor), domain=domain)
        saved = None if editor.errors else _save(request, domain, form, None)
        if saved is not None:
            messages.success(request, f"“{saved.template}” saved. Assign it to a group to use it.")
            return redirect("signatures:template", domain.name, saved.template_id)
        context = _editor(domain, form, starter=starter, editor=editor)
        return render(request, "signatures/templates/new.html", context, status=422)
    form = TemplateForm(domain=domain, initial={"source": starter.source if starter else ""})
    context = _editor(domain, form, starter=starter)
    context["is_chosen"] = "starter" in request.GET
    return render(request, "signatures/templates/new.html", context)


@require(Permission.VIEW)
@require_safe
def template(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = _get_template(domain, pk)
    shown = _find_version(found, request.GET.get("version", ""))
    form = TemplateForm(
        domain=domain,
        instance=found,
        initial={"source": shown.source if shown else ""},
    )
    return render(request, "signatures/templates/detail.html", _describe(domain, found, shown, form))


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_save(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = _get_template(domain, pk)
    before = _number(found)
    editor = BlockEditor.from_post(request.POST, get_vocabulary(domain))
    form = TemplateForm(with_source(request.POST, editor), domain=domain, instance=_get_template(domain, pk))
    saved = None if editor.errors else _save(request, domain, form, found)
    if saved is None:
        found.refresh_from_db()
        context = _describe(domain, found, found.current, form, editor=editor)
        return render(request, "signatures/templates/detail.html", context, status=422)
    if saved.number == before:
        messages.info(request, "The source is unchanged, so no version was created.")
    else:
        say_drafted(request, domain, f"Version {saved.number} saved as a draft.")
    return redirect("signatures:template", domain.name, found.pk)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_blocks(request: HttpRequest, domain: Domain, pk: int | None = None) -> HttpResponse:
    """Do one act of the block editor and show what it leads to; nothing is saved."""
    found = _get_template(domain, pk) if pk is not None else None
    editor = BlockEditor.from_post(request.POST, get_vocabulary(domain))
    if request.POST.get("act") == "mail" and not editor.errors:
        _send_sample(request, domain, editor)
    status = 422 if editor.errors else 200
    if getattr(request, "htmx", False):
        return render(
            request,
            "signatures/templates/_blocks.html",
            {"editor": offer_media(editor, domain), "template": found},
        )
    kept = {"name": request.POST.get("name", ""), "source": editor.source}
    form = TemplateForm(domain=domain, instance=found, initial=kept)
    if found is None:
        return render(
            request, "signatures/templates/new.html", _editor(domain, form, editor=editor), status=status
        )
    # Somebody may have saved meanwhile: then saving this says so.
    begun_from = request.POST.get("base") or _number(found)
    context = _describe(domain, found, found.current, form, editor=editor) | {"begun_from": begun_from}
    return render(request, "signatures/templates/detail.html", context, status=status)


def _send_sample(request: HttpRequest, domain: Domain, editor: BlockEditor) -> None:
    """Send what the preview shows to whoever edits it; the editor says what became of it."""
    reader, wanted = get_actor(request), request.POST.get("sender", "")
    try:
        sender = choose_sender(domain, wanted) if wanted else None
        html = render_source(domain, editor.source, sender).html
        send_sample(html, template_name=request.POST.get("name", ""), to=reader)
    except (SenderNotChosen, TemplateError, RenderRefused, SampleRefused) as refusal:
        editor.message = str(refusal)
    else:
        editor.note = f"Test mail sent to {reader.email}, as {sender.name if sender else 'a sample sender'}."


@require(Permission.EDIT_SIGNATURES)
@require_POST
def template_restore(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Restore an earlier version's source as a new version."""
    found = _get_template(domain, pk)
    earlier = _find_version(found, request.POST.get("version", ""))
    if earlier is None:
        messages.error(request, "That version does not exist. Nothing was changed.")
        return redirect("signatures:template", domain.name, found.pk)
    actor = get_actor(request)
    try:
        saved = save_template(
            domain, name=found.name, source=earlier.source, actor=actor.email, by=actor, template=found
        )
    except TemplateError as error:
        messages.error(request, f"Version {earlier.number} is no longer valid. {error}")
    else:
        say_drafted(request, domain, f"Version {earlier.number} restored as version {saved.number}, a draft.")
    return redirect("signatures:template", domain.name, found.pk)


@require(Permission.MANAGE_GROUPS)
@require_POST
def template_groups(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Assign the template to each selected group."""
    found = _get_template(domain, pk)
    form = GroupsChoiceForm(request.POST, template=found)
    if not form.is_valid():
        messages.error(request, "Select at least one group. Nothing was assigned.")
        return redirect("signatures:template", domain.name, found.pk)
    groups = list(form.cleaned_data["groups"])
    with transaction.atomic():
        for group in groups:
            assign_template(domain, template=found, group=group, actor=get_actor(request).email)
    named = ", ".join(f"“{group}”" for group in groups)
    say_drafted(request, domain, f"“{found}” assigned to {named} as a draft.")
    return redirect("signatures:template", domain.name, found.pk)


def _save(
    request: HttpRequest, domain: Domain, form: TemplateForm, present: Template | None
) -> TemplateVersion | None:
    """Return the saved version, or None with errors in the form."""
    if not form.is_valid():
        return None
    actor, former = get_actor(request), present.current if present else None
    saved = save_template(
        domain,
        name=form.cleaned_data["name"],
        source=form.cleaned_data["source"],
        actor=actor.email,
        by=actor,
        template=present,
    )
    say_unfit_images(request, saved, former)
    return saved


def _number(template: Template) -> int:
    return template.current.number if template.current else 0


def _find_version(template: Template, asked: str) -> TemplateVersion | None:
    """Return the version of that number, or the current one."""
    if asked.isascii() and asked.isdigit() and len(asked) < 9:
        return template.versions.filter(number=int(asked)).first()
    return None if asked else template.current


def _editor(domain: Domain, form: TemplateForm, **more: Any) -> dict[str, Any]:
    """Return the editor's merge fields and preview senders."""
    source, vocabulary = str(form["source"].value() or ""), get_vocabulary(domain)
    editor = more.pop("editor", None) or BlockEditor.from_source(source, vocabulary)
    return {
        "form": form,
        "editor": offer_media(editor, domain),
        "findings": check_source(domain, source, more.get("template")),
        "completions": get_completions(vocabulary),
        "clients": CLIENT_CHOICES,
        "pins": PINS,
        "fields": vocabulary.fields,
        "starters": STARTERS,
        "senders": suggest_senders(domain),
        "is_chosen": True,
        **more,
    }


def _describe(
    domain: Domain, template: Template, shown: TemplateVersion | None, form: TemplateForm, **more: Any
) -> dict[str, Any]:
    count_empty_soon(domain)
    carriers = count_senders_by_template(domain, fallback=get_fallback_template(domain))
    return _editor(
        domain,
        form,
        template=template,
        shown=shown,
        next_number=_number(template) + 1,
        begun_from=_number(template),
        carriers=carriers.get(template.pk, 0),
        people=count_people(domain, template),
        groups=Group.objects.filter(domain=domain, assignment__template=template, archived_at=None),
        dated=_describe_dated(domain, template),
        choice=GroupsChoiceForm(template=template),
        missing=find_missing_values(domain, shown) if shown else None,
        versions=template.versions.defer("source", "compiled_html")[:50],
        **more,
    )


def _describe_dated(
    domain: Domain, template: Template
) -> list[tuple[DatedAssignment, Group | Sender | None, DateState]]:
    """Return each assignment of a template for some days, with whose it is and its state today."""
    rows = [row for row in list_dated(domain) if row.template_id == template.pk]
    group_ids = [row.group_id for row in rows if row.group_id]
    groups = Group.objects.filter(domain=domain, archived_at=None).in_bulk(group_ids) if group_ids else {}
    ids = [row.sender_id for row in rows if row.sender_id]
    senders = Sender.objects.filter(domain=domain).in_bulk(ids) if ids else {}
    return [
        (
            row,
            groups.get(row.group_id or 0) or senders.get(row.sender_id or 0),
            row.get_state(domain.get_today()),
        )
        for row in rows
        if not row.group_id or row.group_id in groups
    ]
