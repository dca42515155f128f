"""Merge variable views: test, turn on and turn off."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.forms.recipients import VariableForm
from signatures.media.encoding import PIXEL, PNG
from signatures.models import RecipientPrivacy, VariableTest
from signatures.recipients import merge_variable


@require(Permission.VIEW)
@require_safe
def variable(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_variable(request, domain, None)


@require(Permission.CONNECT)
@require_POST
def variable_test(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _act_on_variable(
        request,
        domain,
        lambda form, by: merge_variable.start_test(domain, form.cleaned_data["variable"], actor=by),
        "Test started. It waits for your mail to be opened.",
    )


@require(Permission.CONNECT)
@require_POST
def variable_on(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _act_on_variable(
        request,
        domain,
        lambda form, by: merge_variable.turn_on(domain, **form.cleaned_data, actor=by),
        "Merge variable on. Mailboxes get it once this is published and delivered.",
    )


@require(Permission.CONNECT)
@require_POST
def variable_off(request: HttpRequest, domain: Domain) -> HttpResponse:
    merge_variable.turn_off(domain, actor=get_actor(request).email)
    messages.success(request, "Merge variable off. Mailboxes lose it once this is published and delivered.")
    return redirect("signatures:variable", domain.name)


def _act_on_variable(
    request: HttpRequest, domain: Domain, act: Callable[[VariableForm, str], object], done: str
) -> HttpResponse:
    form = VariableForm(request.POST)
    if form.is_valid():
        try:
            act(form, get_actor(request).email)
        except merge_variable.VariableRefused as error:
            form.add_error("variable", str(error))
        else:
            messages.success(request, done)
            return redirect("signatures:variable", domain.name)
    return _show_variable(request, domain, form, status=422)


def _show_variable(
    request: HttpRequest, domain: Domain, form: VariableForm | None, *, status: int = 200
) -> HttpResponse:
    privacy = RecipientPrivacy.objects.for_domain(domain)
    test = VariableTest.objects.filter(domain=domain).first()
    initial = {"variable": test.variable} if test else {}
    context = {
        "privacy": privacy,
        "test": test,
        "snippet": merge_variable.get_snippet(test) if test else "",
        "is_shown": test is not None and test.outcome == VariableTest.Outcome.EXPANDED,
        "form": form or VariableForm(initial=initial),
    }
    return render(request, "signatures/recipients/merge_variable.html", context, status=status)


@login_not_required
@require_safe
def variable_picture(request: HttpRequest, key: str) -> HttpResponse:
    """Answer with an empty pixel; for a test's key, store what arrived."""
    if request.method == "GET":
        merge_variable.note_arrival(key, request.META.get("QUERY_STRING", "")[:1000])
    response = HttpResponse(PIXEL, content_type=PNG)
    response["Cache-Control"] = "no-store"
    return response
