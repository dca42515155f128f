"""Data subject request views: show, export and erase the data about one address."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.forms.recipients import PersonForm
from signatures.recipients import subject_access


@require(Permission.CONNECT)
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show the data about one address, which is posted, so that no URL or log contains it."""
    form = PersonForm(request.POST if request.method == "POST" else None)
    kept = (
        subject_access.get_kept(domain, form.cleaned_data["address"])
        if form.is_bound and form.is_valid()
        else None
    )
    context = {
        "form": form,
        "kept": kept,
        "address": form["address"].value() if kept else "",
    }
    response = render(
        request, "signatures/recipients/data_request.html", context, status=422 if form.errors else 200
    )
    response["Cache-Control"] = "no-store"
    return response


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:person")
@require_POST
def person_export(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = PersonForm(request.POST)
    if not form.is_valid():
        return redirect("signatures:person", domain.name)
    kept = subject_access.get_kept(domain, form.cleaned_data["address"])
    subject_access.record_export(domain, kept, actor=get_actor(request).email)
    exported = json.dumps(subject_access.export_kept(domain, kept), indent=2, ensure_ascii=False)
    response = HttpResponse(exported, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="recipient-{kept.recipient_key[:8]}.json"'
    response["Cache-Control"] = "no-store"
    return response


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:person")
@require_POST
def person_erase(request: HttpRequest, domain: Domain) -> HttpResponse:
    form = PersonForm(request.POST)
    if form.is_valid():
        erased = subject_access.erase(domain, form.cleaned_data["address"], actor=get_actor(request).email)
        messages.success(
            request,
            f"{erased.decisions} decisions and {erased.list_entries} list entries erased. "
            "No data about this address is stored now.",
        )
    return redirect("signatures:person", domain.name)
