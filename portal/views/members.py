"""Member views: list, invitations, and one member's role."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.access import Permission, check_permission, get_actor, require
from portal.accounts.invitations import Sent, invite, list_open
from portal.accounts.members import MembershipRefused, change_role, get_roles_to_give, remove_member
from portal.forms.accounts import InvitationForm, RoleForm
from portal.models import Domain, Membership, Role
from portal.reauth import get_typed, recently_authenticated

PER_PAGE = 50


@require(Permission.VIEW)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def members(request: HttpRequest, domain: Domain) -> HttpResponse:
    """List members and invitations; invite one."""
    person = get_actor(request)
    posted = request.POST if request.method == "POST" else None
    form = InvitationForm(
        posted,
        roles=get_roles_to_give(person, Membership(domain=domain, role=Role.AUDITOR)),
        initial={"role": Role.AUDITOR} | get_typed(request),
    )
    if request.method == "POST":
        check_permission(request, domain, Permission.MANAGE_MEMBERS)
        if form.is_valid():
            try:
                tell_sent(request, invite(domain, actor=person, **form.cleaned_data))
            except MembershipRefused as refusal:
                form.add_error("email", refusal.message)
            else:
                return redirect("portal:members", domain.name)
    people = domain.memberships.select_related("user").order_by("user__email")
    page = Paginator(people, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page_obj": page,
        "invitations": list_open(domain),
        "now": timezone.now(),
    }
    return render(request, "portal/members.html", context)


def tell_sent(request: HttpRequest, sent: Sent) -> None:
    """Show whether the invitation mail was sent."""
    invited = sent.invitation
    if sent.is_mailed:
        messages.success(request, f"{invited.email} was sent a link that works once, for seven days.")
    else:
        messages.warning(
            request,
            f"{invited.email} is invited, but the mail could not be sent. Ask the operator to check the mail "
            "server, then send the invitation again.",
        )


@require(Permission.MANAGE_MEMBERS)
@recently_authenticated()
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Change one member's role, or remove them."""
    person = get_actor(request)
    found = get_object_or_404(domain.memberships.select_related("user", "domain"), pk=pk)
    roles = get_roles_to_give(person, found)
    posted = request.POST if request.method == "POST" else None
    removes = request.POST.get("act") == "remove"
    form = RoleForm(
        None if removes else posted, roles=roles, initial={"role": found.role} | get_typed(request)
    )
    refused = ""
    if request.method == "POST":
        try:
            if removes:
                remove_member(found, actor=person)
                messages.success(request, f"{found.user.email} is no longer a member of {domain.name}.")
                return (
                    redirect("portal:home")
                    if found.user == person
                    else redirect("portal:members", domain.name)
                )
            if form.is_valid():
                change_role(found, form.cleaned_data["role"], actor=person)
                messages.success(
                    request, f"{found.user.email} is now {form.cleaned_data['role']} of {domain.name}."
                )
                return redirect("portal:members", domain.name)
        except MembershipRefused as refusal:
            refused = refusal.message
    context = {
        "member": found,
        "form": form,
        "refused": refused,
        "may_change": bool(roles),
        "is_self": found.user == person,
    }
    return render(request, "portal/member.html", context)
