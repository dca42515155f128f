"""Audience views: audiences of campaigns, recipient lists and field labels."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.audiences.attributes import parse_audience
from signatures.audiences.labels import delete_label, get_names, save_label
from signatures.audiences.list_files import FileRefused
from signatures.audiences.lists import (
    ListRefused,
    delete_list,
    find_campaigns_using,
    save_list,
)
from signatures.campaigns.audience_size import measure_audience
from signatures.campaigns.editing import set_audience
from signatures.conditions.conditions import ConditionError
from signatures.forms.audiences import AudienceBuilder, LabelForm, ListForm
from signatures.models import AttributeLabel, Campaign, RecipientList

from .campaigns import get_editable


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_audience(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """The builder. Its buttons add and remove conditions without saving; "Save" alone saves."""
    found = get_editable(domain, pk)
    names = get_names(domain)
    if request.method != "POST":
        return _render_builder(request, found, _build_from_stored(found))
    builder = AudienceBuilder(domain, names).take(request.POST)
    if "save" not in request.POST:
        builder.act(request.POST)
        return _render_builder(request, found, builder)
    conditions = builder.read()
    if conditions is None:
        return _render_builder(request, found, builder, status=422)
    try:
        set_audience(found, [one.as_json() for one in conditions], actor=get_actor(request).email)
    except ConditionError as error:
        builder.add_error(error)
        return _render_builder(request, found, builder, status=422)
    messages.success(
        request,
        f"Audience of “{found.name}” saved."
        if conditions
        else f"Audience of “{found.name}” saved: everyone.",
    )
    return redirect("signatures:campaign", domain.name, found.pk)


def _build_from_stored(campaign: Campaign) -> AudienceBuilder:
    names = get_names(campaign.domain)
    try:
        conditions = parse_audience(campaign.audience)
    except ConditionError as error:
        builder = AudienceBuilder(campaign.domain, names)
        builder.error = (
            f"The stored audience is not valid: {error.message} It matches nobody until you save it again."
        )
        return builder
    return AudienceBuilder(campaign.domain, names).show(conditions)


def _render_builder(
    request: HttpRequest, campaign: Campaign, builder: AudienceBuilder, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"campaign": campaign, "builder": builder}
    part = "signatures/campaigns/_audience_builder.html"
    is_part = getattr(request, "htmx", False)
    if not is_part:
        context["size"] = measure_audience(campaign, list(campaign.groups.values_list("pk", flat=True)))
    return render(request, part if is_part else "signatures/campaigns/audience.html", context, status=status)


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def recipient_lists(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = ListForm(
        request.POST if request.method == "POST" else None,
        request.FILES if request.method == "POST" else None,
        domain=domain,
    )
    if request.method == "POST" and _save_list(request, domain, form, None):
        return redirect("signatures:recipient_lists", domain.name)
    rows = (
        RecipientList.objects.filter(domain=domain).annotate(number=Count("entries")).order_by("name", "id")
    )
    context = {
        "form": form,
        "rows": [(row, find_campaigns_using(row)) for row in rows],
    }
    return render(request, "signatures/audiences/overview.html", context, status=422 if form.errors else 200)


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def recipient_list(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show, replace or delete one list."""
    rows = RecipientList.objects.select_related("domain").annotate(number=Count("entries"))
    found: RecipientList = get_object_or_404(rows, domain=domain, pk=pk)
    form = ListForm(
        request.POST if request.method == "POST" else None,
        request.FILES if request.method == "POST" else None,
        domain=domain,
        present=found,
        initial={"name": found.name},
    )
    if request.method == "POST" and _save_list(request, domain, form, found):
        return redirect("signatures:recipient_lists", domain.name)
    context = {
        "form": form,
        "list": found,
        "users": find_campaigns_using(found),
    }
    return render(
        request, "signatures/audiences/recipient_list.html", context, status=422 if form.errors else 200
    )


def _save_list(request: HttpRequest, domain: Domain, form: ListForm, present: RecipientList | None) -> bool:
    """Return whether the list was saved; otherwise the form has errors."""
    if not form.is_valid():
        return False
    try:
        saved, count = save_list(
            domain,
            form.cleaned_data["file"].file,
            name=form.cleaned_data["name"],
            actor=get_actor(request).email,
            present=present,
        )
    except FileRefused as error:
        form.add_error("file", [error.message, *(line.reason for line in error.bad_lines)])
        return False
    entries = "1 entry" if count == 1 else f"{count:,} entries"
    messages.success(request, f"“{saved.name}” has {entries}.")
    return True


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def recipient_list_delete(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found: RecipientList = get_object_or_404(RecipientList, domain=domain, pk=pk)
    try:
        delete_list(found, actor=get_actor(request).email)
    except ListRefused as error:
        messages.error(request, error.message)
        return redirect("signatures:recipient_list", domain.name, found.pk)
    messages.success(request, f"“{found.name}” deleted.")
    return redirect("signatures:recipient_lists", domain.name)


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def labels(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = LabelForm(request.POST if request.method == "POST" else None, domain=domain)
    if request.method == "POST" and form.is_valid():
        _save_label(request, domain, form, None)
        return redirect("signatures:labels", domain.name)
    context = {"form": form, "rows": AttributeLabel.objects.filter(domain=domain)}
    return render(
        request, "signatures/audiences/campaign_settings.html", context, status=422 if form.errors else 200
    )


@require(Permission.MANAGE_CAMPAIGNS)
@require_http_methods(["GET", "HEAD", "POST"])
def label(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found: AttributeLabel = get_object_or_404(AttributeLabel, domain=domain, pk=pk)
    form = LabelForm(request.POST if request.method == "POST" else None, domain=domain, instance=found)
    if request.method == "POST" and form.is_valid():
        _save_label(request, domain, form, found)
        return redirect("signatures:labels", domain.name)
    context = {"form": form, "label": found}
    return render(
        request, "signatures/audiences/field_label.html", context, status=422 if form.errors else 200
    )


def _save_label(
    request: HttpRequest, domain: Domain, form: LabelForm, present: AttributeLabel | None
) -> None:
    cleaned = form.cleaned_data
    saved = save_label(
        domain,
        kind=cleaned["kind"],
        key=cleaned["key"],
        label=cleaned["label"],
        actor=get_actor(request).email,
        present=present,
    )
    messages.success(request, f"{saved.get_kind_display()} {saved.key} is labelled “{saved.label}”.")


@require(Permission.MANAGE_CAMPAIGNS)
@require_POST
def label_delete(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found: AttributeLabel = get_object_or_404(
        AttributeLabel.objects.select_related("domain"), domain=domain, pk=pk
    )
    delete_label(found, actor=get_actor(request).email)
    messages.success(request, f"{found.get_kind_display()} {found.key} no longer has a label.")
    return redirect("signatures:labels", domain.name)
