"""Delivery settings: stages, limits, quiet hours, rate and automatic delivery of a domain."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.access import Permission, check_permission, get_actor, may, require
from portal.models import Domain
from signatures.delivery.settings import save_settings
from signatures.forms.delivery_settings import DeliverySettingsForm
from signatures.models import DeliverySettings


@require(Permission.VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def delivery_settings(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Everybody reads how signatures are delivered; who manages the domain changes it."""
    is_saving = request.method == "POST"
    if is_saving:
        check_permission(request, domain, Permission.MANAGE_DOMAIN)
    settings = DeliverySettings.objects.for_domain(domain, create=is_saving)
    form = DeliverySettingsForm(request.POST if is_saving else None, instance=settings)
    if is_saving and form.is_valid():
        save_settings(form.save(commit=False), form.changed_data, actor=get_actor(request).email)
        messages.success(request, "The delivery settings are saved. Deliveries under way keep their stages.")
        return redirect("signatures:delivery_settings", domain.name)
    if not may(request, Permission.MANAGE_DOMAIN):
        for field in form.fields.values():
            field.disabled = True
    return render(
        request,
        "signatures/deliveries/settings.html",
        {"form": form},
        status=422 if form.errors else 200,
    )
