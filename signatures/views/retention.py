"""Retention view: how long decisions and banner events are kept."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.forms.recipients import RetentionForm
from signatures.models import RecipientPrivacy
from signatures.recipients.retention import Removable, get_removable, set_retention


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD"])
def retention(request: HttpRequest, domain: Domain) -> HttpResponse:
    return _show_retention(
        request, domain, RetentionForm(instance=RecipientPrivacy.objects.for_domain(domain)), None
    )


@require(Permission.CONNECT)
@require_POST
def retention_change(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Preview what a shorter retention would remove, and save it only once that was confirmed."""
    form = RetentionForm(request.POST, instance=RecipientPrivacy.objects.for_domain(domain))
    if not form.is_valid():
        return _show_retention(request, domain, form, None, status=422)
    days = {name: form.cleaned_data[name] for name in ("decision_days", "event_days")}
    preview = get_removable(domain, **days)
    if request.POST.get("confirmed") != f"{days['decision_days']}/{days['event_days']}":
        return _show_retention(request, domain, form, preview)
    set_retention(domain, **days, actor=get_actor(request).email)
    messages.success(request, "Retention saved. Older data is removed next night.")
    return redirect("signatures:retention", domain.name)


def _show_retention(
    request: HttpRequest,
    domain: Domain,
    form: RetentionForm,
    preview: Removable | None,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {"form": form, "preview": preview, "privacy": RecipientPrivacy.objects.for_domain(domain)}
    return render(request, "signatures/recipients/retention.html", context, status=status)
