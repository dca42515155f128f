"""Group values view: what a group has for fields of its senders."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal.access import Permission, get_actor, may, require
from portal.models import Domain
from signatures.forms.group_values import GroupValuesForm
from signatures.models import Sender
from signatures.releases.draft import note_edit
from signatures.senders.company import set_field_values
from signatures.senders.numbers import list_typed_numbers

from .common import TYPED_NUMBER, say_drafted
from .groups import get_group


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def group_values(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show and save the values of fields that a group's senders have where they have none of their own."""
    group = get_group(domain, pk)
    data = request.POST if request.method == "POST" else None
    form = GroupValuesForm(data, group=group, is_admin=may(request, Permission.MANAGE_DOMAIN))
    if data is not None and form.is_valid():
        actor, values = get_actor(request).email, form.get_values()
        if list_typed_numbers(values):
            messages.warning(request, TYPED_NUMBER)
        with transaction.atomic():
            if set_field_values(group, values, actor=actor):
                note_edit(domain, f"group:{pk}", actor=actor)
        say_drafted(request, domain, f"Values of “{group}” saved as a draft.")
        return redirect("signatures:group", domain.name, pk)
    context = {
        "group": group,
        "form": form,
        "sender_count": Sender.objects.filter(group=group, is_active=True).count(),
    }
    return render(request, "signatures/groups/values.html", context, status=422 if form.errors else 200)
