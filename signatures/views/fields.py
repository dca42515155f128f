"""Field views: the merge fields of a domain, what is said about each, and custom ones."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access import Permission, check_permission, get_actor, may, require
from portal.models import Domain
from signatures.authoring.field_preview import preview_rule
from signatures.authoring.field_settings import (
    FieldRefused,
    add_custom_field,
    save_setting,
    set_date_format,
    set_removed,
)
from signatures.forms.fields import DateFormatForm, FieldForm, NewFieldForm
from signatures.models import FieldSetting
from signatures.releases.live import get_live_content
from signatures.rendering.fields import Field, Trust
from signatures.senders.value_sources import DATE_FIELDS
from signatures.senders.vocabulary import get_field_rules, get_vocabulary, make_rule

from .common import say_drafted


@require(Permission.VIEW)
@require_safe
def fields(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_list(request, domain, NewFieldForm())


def _show_list(request: HttpRequest, domain: Domain, form: NewFieldForm) -> HttpResponse:
    settings = {row.name: row for row in FieldSetting.objects.filter(domain=domain)}
    listed = [
        (field, settings.get(field.name) or FieldSetting(domain=domain, name=field.name))
        for field in get_vocabulary(domain).fields
        if field.name.startswith("sender.")
    ]
    context = {
        "rows": [(field, setting) for field, setting in listed if not field.is_removed],
        "removed": [field for field, _ in listed if field.is_removed],
        "has_dates": any(field.trust is Trust.DATE and not field.is_removed for field, _ in listed),
        "date_form": DateFormatForm(
            initial={"date_format": get_field_rules(domain).find(DATE_FIELDS).date_format}
        ),
        "form": form,
    }
    return render(request, "signatures/fields/list.html", context, status=422 if form.errors else 200)


def _find(domain: Domain, name: str) -> tuple[Field, FieldSetting]:
    """Return a field of senders and its setting, unsaved where nothing was said yet; raises Http404."""
    field = get_vocabulary(domain).by_name.get(name)
    if field is None or not name.startswith("sender."):
        raise Http404("No such field.")
    setting = FieldSetting.objects.filter(domain=domain, name=name).first()
    return field, setting or FieldSetting(domain=domain, name=name)


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def field(request: HttpRequest, domain: Domain, name: str) -> HttpResponse:
    """Show what is said about one field; on POST preview it, or save it as a draft."""
    is_post = request.method == "POST"
    if is_post:
        check_permission(request, domain, Permission.EDIT_SIGNATURES)
    found, setting = _find(domain, name)
    before = make_rule(setting)
    form = FieldForm(
        request.POST if is_post else None,
        instance=setting,
        field=found,
        vocabulary=get_vocabulary(domain),
        is_admin=may(request, Permission.MANAGE_DOMAIN),
    )
    if is_post and form.is_valid() and request.POST.get("act") != "preview":
        saved = form.save(commit=False)
        save_setting(saved, form.changed_data, actor=get_actor(request).email)
        if "edited_by" in form.changed_data and make_rule(saved) == before:  # no release holds it
            messages.success(request, f"Who may edit {found.label} is saved, and in effect now.")
        else:
            say_drafted(request, domain, f"{found.label} saved as a draft.")
        return redirect("signatures:field", domain.name, name)
    if not may(request, Permission.EDIT_SIGNATURES):
        for one in form.fields.values():
            one.disabled = True
    return render(
        request,
        "signatures/fields/detail.html",
        _describe(domain, found, form),
        status=422 if form.errors else 200,
    )


def _describe(domain: Domain, found: Field, form: FieldForm) -> dict[str, Any]:
    rules = get_live_content(domain).field_rules
    preview = None if form.errors else preview_rule(domain, rules, make_rule(form.instance))
    return {
        "field": found,
        "form": form,
        "general": _inputs(form, "label", "help", "default", "is_required", "edited_by", "date_format"),
        "sources": _inputs(form, "taken_from", "order", "group_stands", "company_stands_in"),
        "clean_up": _inputs(form, "trim", "replacements", "letter_case", "phone", "region"),
        "preview": preview,
    }


def _inputs(form: FieldForm, *names: str) -> list[Any]:
    return [form[name] for name in names if name in form.fields]


@require(Permission.EDIT_SIGNATURES)
@require_POST
def field_add(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = NewFieldForm(request.POST)
    if not form.is_valid():
        return _show_list(request, domain, form)
    try:
        added = add_custom_field(domain, **form.cleaned_data, actor=get_actor(request).email)
    except FieldRefused as refused:
        messages.error(request, str(refused))
        return redirect("signatures:fields", domain.name)
    say_drafted(request, domain, f"{added.label} added as a draft.")
    return redirect("signatures:field", domain.name, added.name)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def date_format(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Save how custom fields with a date show it."""
    form = DateFormatForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the date formats. Nothing was saved.")
    elif set_date_format(domain, form.get_format(), actor=get_actor(request).email):
        say_drafted(request, domain, "Date format saved as a draft.")
    return redirect("signatures:fields", domain.name)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def field_remove(request: HttpRequest, domain: Domain, name: str) -> HttpResponse:
    """Remove a custom field, or with `act` keep, keep it again."""
    found, setting = _find(domain, name)
    if not found.is_custom:
        raise Http404("Built-in fields stay.")
    is_removed = request.POST.get("act") != "keep"
    set_removed(setting, is_removed=is_removed, actor=get_actor(request).email)
    say_drafted(request, domain, f"{found.label} {'removed' if is_removed else 'restored'} as a draft.")
    return redirect("signatures:fields", domain.name)
