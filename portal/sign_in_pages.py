"""How the members of a domain prove who they are: the owners' page."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from integrations.ledger import record_act

from .access import Permission, require
from .forms import SecondStepForm
from .models import Domain
from .reauth import recently_authenticated
from .views import get_person


@require(Permission.MANAGE_SIGN_IN)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Whether everybody here needs a second step."""
    form = SecondStepForm(request.POST if request.method == "POST" else None, instance=domain)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            if form.changed_data:
                record_act(
                    "settings changed",
                    domain=domain,
                    actor_label=get_person(request).email,
                    detail=f"require_mfa: {domain.require_mfa}",
                )
        messages.success(request, "How members sign in is saved.")
        return redirect("portal:sign_in", domain.name)
    return render(request, "portal/sign_in.html", {"here": "settings", "form": form})
