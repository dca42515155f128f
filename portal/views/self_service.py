"""Self-service views: what senders may do by themselves, and who of them is invited or signed in."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import Permission, check_permission, get_actor, require
from portal.accounts.members import MembershipRefused
from portal.accounts.sender_invitations import invite_senders, send_again, withdraw_invitations
from portal.background import enqueue
from portal.models import Domain
from portal.reauth import get_typed, recently_authenticated
from signatures.forms.self_service import SelfServiceFilters, SelfServiceForm
from signatures.models import SelfService, Sender, SenderAccount, SenderInvitation
from signatures.self_service.accounts import NOT_INVITED, STATES, TONES, close_account, find_states, in_state
from signatures.self_service.changes import list_open_fields, list_waiting
from signatures.self_service.settings import save_settings

PER_PAGE = 50
_DONE = {
    "invite": "{} invited. Their mails go out within a minute.",
    "again": "{} sent a new link within a minute; the former one no longer works.",
    "withdraw": "Invitations withdrawn: {}.",
    "end": "Access ended: {}.",
}


@require(Permission.VIEW)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def self_service(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show and change what senders may do; list them by how far they have come."""
    rules = SelfService.objects.for_domain(domain)
    form = SelfServiceForm(
        request.POST if request.method == "POST" else None, instance=rules, initial=get_typed(request)
    )
    if request.method == "POST":
        check_permission(request, domain, Permission.MANAGE_DOMAIN)
        if form.is_valid():
            save_settings(form.save(commit=False), form.changed_data, actor=get_actor(request).email)
            messages.success(request, "Self-service settings saved.")
            return redirect("portal:self_service", domain.name)
        rules = SelfService.objects.for_domain(domain)
    filters = SelfServiceFilters(request.GET, domain=domain)
    page = Paginator(_find(domain, filters), PER_PAGE).get_page(request.GET.get("page"))
    states = find_states([sender.pk for sender in page.object_list])
    accounts = {one.sender_id: one for one in SenderAccount.objects.filter(sender__in=page.object_list)}
    context = {
        "form": form,
        "rules": rules,
        "filters": filters,
        "is_filtered": any(request.GET.get(name) for name in filters.fields),
        "page_obj": page,
        "rows": [
            (sender, STATES.get(state, NOT_INVITED), TONES.get(state, ""), accounts.get(sender.pk))
            for sender in page.object_list
            for state in [states.get(sender.pk, "")]
        ],
        "open_fields": list_open_fields(domain),
        "waiting": list_waiting(domain).count(),
    }
    return render(request, "portal/self_service.html", context, status=422 if form.errors else 200)


def _find(domain: Domain, filters: SelfServiceFilters) -> QuerySet[Sender]:
    chosen = filters.get_choices()
    senders = in_state(Sender.objects.filter(domain=domain, is_active=True), chosen["state"])
    if chosen["group"] is not None:
        senders = senders.filter(group=chosen["group"])
    return senders.order_by("name", "pk")


@require(Permission.INVITE_SENDERS)
@recently_authenticated(returns_to="portal:self_service")
@require_POST
def self_service_act(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Invite senders, send their invitations again, withdraw them, or end access: of the ticked, or of all filtered."""
    if request.POST.get("all"):
        senders = _find(domain, SelfServiceFilters(request.POST, domain=domain))
    else:
        ticked = [
            int(pk) for pk in request.POST.getlist("sender") if pk.isascii() and pk.isdigit() and len(pk) < 16
        ]
        senders = Sender.objects.filter(domain=domain, pk__in=ticked)
    act = request.POST.get("act", "")
    try:
        number = _carry_out(request, domain, act, senders.order_by())
    except MembershipRefused as refusal:
        messages.error(request, refusal.message)
    else:
        _say_done(request, act, number)
    if "one" in request.POST:
        one = get_object_or_404(Sender, domain=domain, pk__in=senders.values("pk"))
        return redirect("signatures:sender", domain.name, one.pk)
    return redirect("portal:self_service", domain.name)


def _carry_out(request: HttpRequest, domain: Domain, act: str, senders: QuerySet[Sender]) -> int:
    """Do what was asked for and return for how many."""
    actor = get_actor(request)
    invitations = SenderInvitation.objects.filter(domain=domain, sender__in=senders)
    if act == "invite":
        number = invite_senders(domain, senders, actor=actor)
    elif act == "again":
        number = send_again(domain, invitations, actor=actor)
    elif act == "withdraw":
        return withdraw_invitations(domain, invitations, actor=actor)
    elif act == "end":
        return _end_access(senders, actor=actor.email)
    else:
        return 0
    if number:
        enqueue("portal.tasks.invite_senders")
    return number


@transaction.atomic
def _end_access(senders: QuerySet[Sender], *, actor: str) -> int:
    accounts = list(SenderAccount.objects.filter(sender__in=senders).select_related("sender__domain", "user"))
    for account in accounts:
        close_account(account, actor=actor)
    return len(accounts)


def _say_done(request: HttpRequest, act: str, number: int) -> None:
    if not number:
        messages.info(request, "Nothing to do for these senders.")
    else:
        senders = f"{number:,} sender{'' if number == 1 else 's'}"
        messages.success(request, _DONE[act].format(senders))
