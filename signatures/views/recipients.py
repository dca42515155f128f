"""Who receives: keys of the decision API, what is asked about recipients, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.connection.lifecycle import get_connection
from integrations.connection.lookup_breaker import get_state
from integrations.lookup import get_hindrance
from portal.access import Permission, require
from portal.models import Domain
from portal.reauth import recently_authenticated
from signatures.audiences.conditions import ATTRIBUTE_BY_NAME, ATTRIBUTES
from signatures.campaigns.images import PIXEL, PNG
from signatures.campaigns.ruleset import get_place
from signatures.decisions.api_keys import make_key, revoke_key
from signatures.forms.recipients import KeyForm, PersonForm, RetentionForm, VariableForm
from signatures.models import DecisionKey, VariableTest
from signatures.recipients import merge_variable, subject_access

from .common import get_actor


@require(Permission.VIEW)
@require_safe
def recipients(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_recipients(request, domain, KeyForm())


def _show_recipients(
    request: HttpRequest, domain: Domain, form: KeyForm, *, made: str = "", status: int = 200
) -> HttpResponse:
    connection = get_connection(domain)
    state = get_state(connection) if connection else None
    asked = subject_access.get_fields_asked(domain)
    context = {
        "place": get_place(domain),
        "keys": DecisionKey.objects.filter(domain=domain),
        "form": form,
        "made": made,
        "hindrance": get_hindrance(connection),
        "rests_until": state.rests_until
        if state and state.rests_until and state.rests_until > timezone.now()
        else None,
        "failures": state.failures if state else 0,
        "asked": [ATTRIBUTE_BY_NAME[one.name].label for one in ATTRIBUTES if one.name in asked],
    }
    response = render(request, "signatures/recipients/overview.html", context, status=status)
    if made:
        response["Cache-Control"] = "no-store"
    return response


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:recipients")
@require_POST
def key_make(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show a new key, this once: it is answered here and not after a redirect, since it is kept nowhere."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show_recipients(request, domain, form, status=422)
    new = make_key(domain, form.cleaned_data["name"], actor_label=get_actor(request).email)
    return _show_recipients(request, domain, KeyForm(), made=new.text)


@require(Permission.CONNECT)
@recently_authenticated(returns_to="signatures:recipients")
@require_POST
def key_revoke(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    key = get_object_or_404(DecisionKey.objects.select_related("domain").filter(domain=domain), pk=pk)
    if revoke_key(key, actor_label=get_actor(request).email):
        messages.success(request, f"The key {key} is taken back. Whoever still asks with it gets no banner.")
    else:
        messages.info(request, f"The key {key} had been taken back already.")
    return redirect("signatures:recipients", domain.name)


@require(Permission.CONNECT)
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show what is kept about one address. It comes by POST, so that it stands in no address bar and no log."""
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
    subject_access.record_export(domain, kept, actor_label=get_actor(request).email)
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
        erased = subject_access.erase(
            domain, form.cleaned_data["address"], actor_label=get_actor(request).email
        )
        messages.success(
            request,
            f"{erased.decisions} choices and {erased.list_entries} list entries are erased. "
            "Nothing is kept about this address any more.",
        )
    return redirect("signatures:person", domain.name)


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD"])
def retention(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_retention(request, domain, RetentionForm(instance=get_place(domain)), None)


@require(Permission.CONNECT)
@require_POST
def retention_change(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Preview what shorter days would remove; they are kept only when that was seen and confirmed."""
    form = RetentionForm(request.POST, instance=get_place(domain))
    if not form.is_valid():
        return _show_retention(request, domain, form, None, status=422)
    days = {name: form.cleaned_data[name] for name in ("decision_days", "event_days")}
    preview = subject_access.preview_retention(domain, **days)
    if request.POST.get("confirmed") != f"{days['decision_days']}/{days['event_days']}":
        return _show_retention(request, domain, form, preview)
    subject_access.set_retention(domain, **days, actor_label=get_actor(request).email)
    messages.success(request, "The days are saved. What is older goes in the next night.")
    return redirect("signatures:retention", domain.name)


def _show_retention(
    request: HttpRequest,
    domain: Domain,
    form: RetentionForm,
    preview: subject_access.Preview | None,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {"form": form, "preview": preview, "place": get_place(domain)}
    return render(request, "signatures/recipients/retention.html", context, status=status)


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
        lambda form, by: merge_variable.start_test(domain, form.cleaned_data["variable"], actor_label=by),
        "The test waits for your mail to be opened.",
    )


@require(Permission.CONNECT)
@require_POST
def variable_on(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _act_on_variable(
        request,
        domain,
        lambda form, by: merge_variable.turn_on(domain, **form.cleaned_data, actor_label=by),
        "The variable is on. Mailboxes get it with the next delivery.",
    )


@require(Permission.CONNECT)
@require_POST
def variable_off(request: HttpRequest, domain: Domain) -> HttpResponse:
    merge_variable.turn_off(domain, actor_label=get_actor(request).email)
    messages.success(request, "The variable is off. Mailboxes lose it with the next delivery.")
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
    place = get_place(domain)
    test = VariableTest.objects.filter(domain=domain).first()
    initial = {"variable": test.variable} if test else {}
    context = {
        "place": place,
        "test": test,
        "snippet": merge_variable.get_snippet(test) if test else "",
        "is_shown": test is not None and test.outcome == VariableTest.Outcome.EXPANDED,
        "form": form or VariableForm(initial=initial),
    }
    return render(request, "signatures/recipients/merge_variable.html", context, status=status)


@login_not_required
@require_safe
def variable_picture(request: HttpRequest, key: str) -> HttpResponse:
    """Answer with an empty pixel, whatever the key; where it is a test's, the test knows what arrived."""
    if request.method == "GET":
        merge_variable.note_arrival(key, request.META.get("QUERY_STRING", "")[:1000])
    response = HttpResponse(PIXEL, content_type=PNG)
    response["Cache-Control"] = "no-store"
    return response
