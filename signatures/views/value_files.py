"""Value files: senders' values are imported from a spreadsheet, row by row looked at first, and exported to one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.ledger.record import record_act
from portal.access import Permission, get_actor, may, require
from portal.background import enqueue
from portal.csv_import import ENCODINGS, SEPARATORS
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.delivery.after_values import apply_import, undo_import
from signatures.forms.bulk import EXPORT, BulkForm
from signatures.forms.senders import SenderFilters
from signatures.forms.value_files import ExportForm, ReadingForm, UploadForm
from signatures.models import ImportState, RowState, Sender, SenderImport
from signatures.senders.choice import find_chosen
from signatures.senders.many_values import list_importable_fields
from signatures.value_files.applying import (
    APPLIED_AT_ONCE,
    ImportBlocked,
    PreviewOutdated,
    request_apply,
    request_undo,
)
from signatures.value_files.columns import describe_guess
from signatures.value_files.export import record_export, write_rows, write_values
from signatures.value_files.reading import (
    READ_AT_ONCE,
    FileRefused,
    choose,
    read_rows,
    request_preview,
    store_file,
)
from signatures.value_files.retention import KEEP_DAYS

from .common import get_page, get_situation, give_csv, say_drafted, values_wait

TASK = "signatures.tasks.work_on_import"
EARLIER_SHOWN = 10
CHOICE = ("all", "sender", *SenderFilters.base_fields)  # of senders, in an address


def get_import(domain: Domain, pk: int) -> SenderImport:
    """Return an import of this domain, without its file; raises Http404."""
    found = SenderImport.objects.select_related("domain").defer("content")
    sender_import: SenderImport = get_object_or_404(found, domain=domain, pk=pk)
    return sender_import


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def value_imports(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Upload or paste a file; nothing is changed by it."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_bound and form.is_valid():
        file, name = form.open()
        actor = get_actor(request)
        waits = values_wait(request, domain)
        try:
            stored = store_file(domain, file, name=name, actor=actor.email, by=actor, waits=waits)
        except FileRefused as refused:
            form.add_error("file" if form.cleaned_data["file"] else "text", refused.message)
        else:
            _read_soon(stored)
            return redirect("signatures:value_import", domain.name, stored.pk)
    earlier = SenderImport.objects.filter(domain=domain).defer("content")
    context = {"form": form, "earlier": earlier[:EARLIER_SHOWN], "keep_days": KEEP_DAYS}
    return render(request, "signatures/value_files/upload.html", context, status=422 if form.errors else 200)


def _read_soon(sender_import: SenderImport) -> None:
    """Read the rows: now, or in the background where they are many."""
    if sender_import.lines <= READ_AT_ONCE:
        read_rows(sender_import.pk)
    else:
        enqueue(TASK, import_id=sender_import.pk)


@require(Permission.EDIT_SIGNATURES)
@require_safe
def value_import(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show how the file is read and what each row would change, or changed."""
    found = get_import(domain, pk)
    return render(
        request,
        "signatures/value_files/import.html",
        _describe(request, found, ReadingForm(sender_import=found)),
    )


def _describe(request: HttpRequest, sender_import: SenderImport, form: ReadingForm) -> dict[str, Any]:
    chosen = request.GET.get("show", "")
    state = next((one for one in RowState if one.name.lower() == chosen), None)
    rows = sender_import.rows.select_related("sender")
    fields = list_importable_fields(sender_import.domain)
    shown = [field for field in fields if field.name in sender_import.columns]
    page = get_page(request, rows.filter(state=state) if state else rows.all())
    guesses = map(
        describe_guess, sender_import.headings, sender_import.columns, [fields] * len(sender_import.columns)
    )
    return {
        "import": sender_import,
        "form": form,
        "columns": list(
            zip(sender_import.headings, form.list_columns(), guesses, sender_import.samples, strict=True)
        ),
        "read_as": (
            ENCODINGS.get(sender_import.encoding, sender_import.encoding),
            SEPARATORS.get(sender_import.separator, sender_import.separator).lower(),
        ),
        "used_number": sum(map(bool, sender_import.columns)),
        "tabs": [(one.name.lower(), one.label, sender_import.count(one)) for one in RowState],
        "show": chosen if state else "",
        "fields": shown,
        "page_obj": page,
        "rows": [(row, [(field, row.values.get(field.name)) for field in shown]) for row in page.object_list],
    }


@require(Permission.EDIT_SIGNATURES)
@require_safe
def value_import_progress(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The fragment that a page asks for while a file is worked on; the last answer makes the page load anew."""
    found = get_import(domain, pk)
    response = render(request, "signatures/value_files/_progress.html", {"import": found, "domain": domain})
    if not found.is_moving:
        response["HX-Refresh"] = "true"
    return response


@require(Permission.EDIT_SIGNATURES)
@require_POST
def value_import_choose(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The file is read in another way, and its preview made anew."""
    found = get_import(domain, pk)
    form = ReadingForm(request.POST, sender_import=found)
    if form.is_valid():
        try:
            choose(found, form.get_choices())
        except FileRefused as refused:
            found.refresh_from_db()
            form.add_error(None, refused.message)
        else:
            _read_soon(found)
            return redirect("signatures:value_import", domain.name, found.pk)
    context = _describe(request, found, form)
    return render(request, "signatures/value_files/import.html", context, status=422)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def value_import_apply(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """All values of the preview are stored, or none."""
    found = get_import(domain, pk)
    waits = values_wait(request, domain)
    try:
        if waits != found.waits and found.state == ImportState.PREVIEWED:
            request_preview(found, waits=waits)
            raise PreviewOutdated
        request_apply(
            found,
            digest=request.POST.get("digest", ""),
            leaves_out="leave_out" in request.POST,
            actor=get_actor(request).email,
        )
        if found.changing_number > APPLIED_AT_ONCE:
            enqueue(TASK, import_id=found.pk)
        else:
            _say_applied(request, domain, apply_import(found.pk))
    except PreviewOutdated as outdated:
        messages.error(request, outdated.message)
        _read_soon(found)
    except (ImportBlocked, FileRefused) as blocked:
        messages.error(request, blocked.message)
    return redirect("signatures:value_import", domain.name, found.pk)


def _say_applied(request: HttpRequest, domain: Domain, applied: SenderImport) -> None:
    people = "1 sender" if applied.applied_number == 1 else f"{applied.applied_number:,} senders"
    if applied.waits:
        say_drafted(request, domain, f"Values of {people} saved as drafts.")
    else:
        messages.success(request, f"Values of {people} saved. They apply with the next delivery.")


@require(Permission.EDIT_SIGNATURES)
@require_POST
def value_import_undo(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Values that nobody changed since are as they were before the import."""
    found = get_import(domain, pk)
    try:
        request_undo(found, actor=get_actor(request).email)
    except ImportBlocked as blocked:
        messages.error(request, blocked.message)
        return redirect("signatures:value_import", domain.name, found.pk)
    if found.applied_number > APPLIED_AT_ONCE:
        enqueue(TASK, import_id=found.pk)
    else:
        undone = undo_import(found.pk)
        messages.success(request, f"Undone: {undone.undone_number:,} senders have their earlier values.")
    return redirect("signatures:value_import", domain.name, found.pk)


@require(Permission.EDIT_SIGNATURES)
@recently_authenticated(returns_to="signatures:value_imports", reading=True)
@require_safe
def value_import_rows(request: HttpRequest, domain: Domain, pk: int) -> StreamingHttpResponse:
    """The rows that cannot be applied, each with its reason."""
    found = get_import(domain, pk)
    record_act(
        "sender values downloaded",
        domain=domain,
        actor_label=get_actor(request).email,
        object_ref=f"import {found.pk}",
        detail=f"{found.left_out_number:,} rows that cannot be applied",
    )
    left_out = found.rows.filter(state__in=[RowState.REFUSED, RowState.UNKNOWN])
    return give_csv(write_rows(left_out), f"rows-{found.pk}")


@require(Permission.VIEW)
@require_safe
def value_export(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Choose the columns of a file to fill in; a choice of senders in the address stays."""
    pairs = [(name, value) for name in CHOICE for value in request.GET.getlist(name) if value]
    context = {
        "form": ExportForm(domain=domain),
        "pairs": pairs,
        "number": _find_exported(request, domain).count(),
    }
    return render(request, "signatures/value_files/export.html", context)


def _find_exported(request: HttpRequest, domain: Domain) -> QuerySet[Sender]:
    """Return the senders that the address chooses, as a bulk action does; every active one where it chooses none."""
    chosen = request.GET.copy()
    chosen["act"] = EXPORT
    form = BulkForm(chosen, domain=domain)
    if "all" not in request.GET and "sender" not in request.GET:
        return Sender.objects.filter(domain=domain, is_active=True)
    if not form.is_valid():
        raise Http404("This choice of senders is not valid.")
    return find_chosen(domain, get_situation(domain).connection, **form.get_choice())


@require(Permission.VIEW)
@recently_authenticated(returns_to="signatures:value_export", reading=True)
@require_safe
def value_export_file(request: HttpRequest, domain: Domain) -> StreamingHttpResponse:
    """The chosen senders with the values that are edited here."""
    form = ExportForm(request.GET, domain=domain)
    form.is_valid()
    fields = form.get_fields()
    senders = _find_exported(request, domain)
    record_export(domain, senders, fields, actor=get_actor(request).email)
    waits = may(request, Permission.EDIT_SIGNATURES) and values_wait(request, domain)
    return give_csv(write_values(domain, senders, fields, waits=waits), f"senders-{domain.name}")
