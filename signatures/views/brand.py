"""Brand views: the company's values, those that differ for a group, and dated disclaimers."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.authoring.brand import save_brand
from signatures.forms.brand import BrandForm, DisclaimerForm, GroupBrandForm
from signatures.forms.media import MediaChoiceForm
from signatures.models import Disclaimer, Group, MediaKind, Sender
from signatures.releases.content import BRAND
from signatures.releases.draft import note_edit
from signatures.senders.company import add_disclaimer, remove_disclaimer, set_group_values
from signatures.senders.values import get_brand

from .common import say_drafted
from .media_choice import say_unfit, take_choice


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def brand(request: HttpRequest, domain: Domain) -> HttpResponse:
    choice, data = take_choice(request, domain, kind=MediaKind.LOGO, field="logo_url")
    form = BrandForm(data, instance=get_brand(domain))
    if data is not None and not choice.errors and form.is_valid():
        save_brand(form.save(commit=False), form.changed_data, actor=get_actor(request).email)
        say_drafted(request, domain, "Brand saved as a draft.")
        if "logo_url" in form.changed_data:
            say_unfit(request, form.cleaned_data["logo_url"])
        return redirect("signatures:brand", domain.name)
    return _show_brand(request, domain, form=form, choice=choice)


def _show_brand(request: HttpRequest, domain: Domain, **forms: Any) -> HttpResponse:
    groups = Group.objects.filter(domain=domain, archived_at=None).prefetch_related("disclaimers")
    context = {
        "form": BrandForm(instance=get_brand(domain)),
        "choice": MediaChoiceForm(domain=domain, kind=MediaKind.LOGO),
        "disclaimer_form": DisclaimerForm(),
        "disclaimers": Disclaimer.objects.filter(domain=domain, group=None),
        "differing": [group for group in groups if group.company_values or group.disclaimers.all()],
        "sender_count": Sender.objects.filter(domain=domain, is_active=True).count(),
        **forms,
    }
    is_refused = any(form.errors for form in forms.values())
    return render(request, "signatures/templates/brand.html", context, status=422 if is_refused else 200)


@require(Permission.EDIT_SIGNATURES)
@require_http_methods(["GET", "HEAD", "POST"])
def group_brand(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Show and save the company values that differ for one group."""
    group = _get_group(domain, pk)
    choice, data = take_choice(request, domain, kind=MediaKind.LOGO, field="logo_url")
    form = GroupBrandForm(data, group=group, company=get_brand(domain))
    if data is not None and not choice.errors and form.is_valid():
        actor = get_actor(request).email
        with transaction.atomic():
            if set_group_values(group, form.get_values(), actor=actor):
                note_edit(domain, f"group:{group.pk}", actor=actor)
        say_drafted(request, domain, f"Brand of “{group}” saved as a draft.")
        if "logo_url" in form.changed_data:
            say_unfit(request, form.cleaned_data["logo_url"])
        return redirect("signatures:group_brand", domain.name, group.pk)
    return _show_group_brand(request, domain, group, form=form, choice=choice)


def _show_group_brand(request: HttpRequest, domain: Domain, group: Group, **forms: Any) -> HttpResponse:
    context = {
        "group": group,
        "form": GroupBrandForm(group=group, company=get_brand(domain)),
        "choice": MediaChoiceForm(domain=domain, kind=MediaKind.LOGO),
        "disclaimer_form": DisclaimerForm(),
        "disclaimers": group.disclaimers.all(),
        "sender_count": Sender.objects.filter(group=group, is_active=True).count(),
        **forms,
    }
    is_refused = any(form.errors for form in forms.values())
    return render(request, "signatures/groups/brand.html", context, status=422 if is_refused else 200)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def disclaimer_add(request: HttpRequest, domain: Domain, pk: int | None = None) -> HttpResponse:
    """Add a dated disclaimer of the company, or of the group with this id."""
    group = None if pk is None else _get_group(domain, pk)
    form = DisclaimerForm(request.POST, instance=Disclaimer(domain=domain, group=group))
    if not form.is_valid():
        if group is None:
            return _show_brand(request, domain, disclaimer_form=form)
        return _show_group_brand(request, domain, group, disclaimer_form=form)
    actor = get_actor(request).email
    with transaction.atomic():
        add_disclaimer(form.save(commit=False), actor=actor)
        note_edit(domain, f"group:{group.pk}" if group else BRAND, actor=actor)
    say_drafted(request, domain, "Disclaimer added as a draft.")
    return _return_to(domain, group)


@require(Permission.EDIT_SIGNATURES)
@require_POST
def disclaimer_remove(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Remove a dated disclaimer."""
    found: Disclaimer = get_object_or_404(
        Disclaimer.objects.select_related("domain", "group"), domain=domain, pk=pk
    )
    group, actor = found.group, get_actor(request).email
    with transaction.atomic():
        remove_disclaimer(found, actor=actor)
        note_edit(domain, f"group:{group.pk}" if group else BRAND, actor=actor)
    say_drafted(request, domain, "Disclaimer removed as a draft.")
    return _return_to(domain, group)


def _get_group(domain: Domain, pk: int) -> Group:
    found: Group = get_object_or_404(Group, domain=domain, pk=pk, archived_at=None)
    return found


def _return_to(domain: Domain, group: Group | None) -> HttpResponse:
    if group is None:
        return redirect("signatures:brand", domain.name)
    return redirect("signatures:group_brand", domain.name, group.pk)
