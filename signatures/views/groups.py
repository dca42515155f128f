"""Group views: senders, priority and template."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Prefetch, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from portal.access import Permission, get_actor, require
from portal.models import Domain
from signatures.forms.brand import label_values
from signatures.forms.dated_assignments import DatedAssignmentForm
from signatures.forms.delivery_settings import AutomaticPolicyForm
from signatures.forms.drift import DriftPolicyForm
from signatures.forms.groups import GroupNameForm
from signatures.forms.senders import MoveForm
from signatures.forms.templates import TemplateChoiceForm
from signatures.models import DatedAssignment, Group, MailboxState, Sender
from signatures.releases.content import ORDER
from signatures.releases.draft import build_draft, note_edit
from signatures.releases.group_lint import lint_groups
from signatures.releases.membership_words import MembershipWords
from signatures.senders.grouping import get_group_rules
from signatures.senders.groups import get_group_order, reorder_groups, set_automatic_policy, set_drift_policy
from signatures.senders.mailbox_status import count_statuses, get_fallback_template
from signatures.senders.numbers import show_numbers
from signatures.senders.vocabulary import get_vocabulary

from .common import assign_from_form, describe_dated, find_active, get_page, get_situation, say_drafted

AS_EVERYBODY = "Inherited (default)"


def get_group(domain: Domain, pk: int) -> Group:
    """Return a group in use of this domain; raises Http404."""
    found = Group.objects.select_related("assignment__template").filter(archived_at=None)
    group: Group = get_object_or_404(found, domain=domain, pk=pk)
    return group


@require(Permission.VIEW)
@require_safe
def groups(request: HttpRequest, domain: Domain) -> HttpResponse:
    members = Sender.objects.filter(group=OuterRef("pk"), is_active=True).order_by().values("group")
    counted = members.annotate(number=Count("pk"))
    rows = (
        Group.objects.filter(domain=domain, archived_at=None)
        .select_related("assignment__template")
        .prefetch_related(_read_dated(domain))
        .annotate(sender_count=Coalesce(Subquery(counted.values("number")), 0))
    )
    page = get_page(request, rows)
    situation = get_situation(domain)
    context = {
        "situation": situation,
        "lost": situation.list_lost("people", "teams"),
        "groups": page.object_list,
        "page_obj": page,
        "fallback": get_fallback_template(domain),
        "archived": Group.objects.filter(domain=domain, follows_team_id="").exclude(archived_at=None),
        "new_form": GroupNameForm(),
    }
    return render(request, "signatures/groups/list.html", context)


@require(Permission.VIEW)
@require_safe
def group_checks(request: HttpRequest, domain: Domain) -> HttpResponse:
    """Show what is wrong with the groups as they are edited."""
    findings = lint_groups(domain, build_draft(domain))
    return render(request, "signatures/groups/checks.html", {"findings": findings})


def _read_dated(domain: Domain) -> Prefetch[str]:
    """Read with groups or senders, as `dated`, the templates that they have today or later for some days."""
    ahead = DatedAssignment.objects.from_day(domain.get_today()).select_related("template")
    return Prefetch("dated_assignments", queryset=ahead, to_attr="dated")


@require(Permission.VIEW)
@require_safe
def group(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    context = describe_group(request, domain, get_group(domain, pk))
    return render(request, "signatures/groups/detail.html", context)


def describe_group(request: HttpRequest, domain: Domain, found: Group) -> dict[str, Any]:
    """Return what the page of a group shows."""
    members = (
        Sender.objects.filter(group=found, is_active=True)
        .select_related("person", "assignment__template")
        .prefetch_related(_read_dated(domain))
    )
    dated = describe_dated(found, domain)
    order = list(get_group_order(domain))
    assignment = getattr(found, "assignment", None)
    template, fallback = assignment.template if assignment else None, get_fallback_template(domain)
    choice = TemplateChoiceForm(
        request.GET if "template" in request.GET else None,
        domain=domain,
        otherwise="None" if found.is_default else AS_EVERYBODY,
        initial={"template": template.pk if template else None},
    )
    chosen = choice.cleaned_data["template"] if choice.is_valid() else template
    return {
        "group": found,
        "dated": dated,
        "active": find_active(dated),
        "dated_form": DatedAssignmentForm(
            instance=DatedAssignment(domain=domain, group=found), domain=domain
        ),
        "rank": order.index(found.pk) + 1 if found.pk in order else None,
        "ranked": len(order),
        "page_obj": get_page(request, members),
        "template": template,
        "fallback": fallback,
        "choice": choice,
        "chosen": chosen,
        "is_changed": chosen != template,
        "previewed": chosen or (None if found.is_default else fallback),
        "membership": _describe_membership(domain, found),
        "previewed_as": members.filter(assignment=None).first(),
        "differing": label_values(found.company_values),
        "field_values": _label_field_values(domain, found),
        "automatic_form": AutomaticPolicyForm(instance=found),
        "policy_form": DriftPolicyForm(instance=found),
        "statuses": count_statuses(MailboxState.objects.filter(sender__in=members)),
    }


def _label_field_values(domain: Domain, group: Group) -> list[tuple[str, str]]:
    """Return what a group has for fields of its senders: label and value."""
    labels = get_vocabulary(domain)
    return [(labels.label_of(name), value) for name, value in show_numbers(group.field_values).items()]


def _describe_membership(domain: Domain, group: Group) -> list[tuple[str, str]]:
    """Return whom a group takes: label and words."""
    rule = next(rule for rule in get_group_rules(domain) if rule.id == group.pk)
    described = MembershipWords(domain, [rule]).describe(rule)
    return [(label, words) for label, words in described.items() if words]


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_move(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Move a group one priority up, down, or to the typed one."""
    found = get_group(domain, pk)
    form = MoveForm(request.POST)
    if found.is_default or not form.is_valid():
        messages.error(request, "Enter the priority as a number, 1 for the highest. Nothing was changed.")
        return redirect("signatures:groups", domain.name)
    order = list(get_group_order(domain))
    before = order.index(found.pk)
    order.remove(found.pk)
    order.insert(form.get_place(before), found.pk)
    moved = reorder_groups(domain, order, actor=get_actor(request).email)
    note_edit(domain, ORDER, actor=get_actor(request).email)
    changed = f"{moved} {'sender' if moved == 1 else 'senders'}" if moved else "No sender"
    say_drafted(
        request,
        domain,
        f"“{found}” now has priority {order.index(found.pk) + 1}, as a draft. {changed} changed group.",
    )
    return redirect("signatures:groups", domain.name)


@require(Permission.MANAGE_GROUPS)
@require_POST
def group_template(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    found = get_group(domain, pk)
    assign_from_form(request, domain, name=f"“{found}”", inherited="its template", group=found)
    return redirect("signatures:group", domain.name, found.pk)


@require(Permission.DELIVER)
@require_POST
def group_automatic(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """When new directory values reach a group's mailboxes is set; it acts with the next sync."""
    found = get_group(domain, pk)
    form = AutomaticPolicyForm(request.POST, instance=found)
    if form.is_valid():
        set_automatic_policy(form.save(commit=False), actor=get_actor(request).email)
        messages.success(request, f"Automatic delivery saved: {found.get_automatic_display().lower()}.")
    else:
        for problem in form.errors.values():
            messages.error(request, f"{problem[0]} Nothing was saved.")
    return redirect("signatures:group", domain.name, pk)


@require(Permission.DELIVER)
@require_POST
def group_policy(request: HttpRequest, domain: Domain, pk: int) -> HttpResponse:
    """Save a group's policy for edits in Outreach, which applies from the next sync."""
    found = get_group(domain, pk)
    form = DriftPolicyForm(request.POST, instance=found)
    if not form.is_valid():
        messages.error(request, "Enter the grace period in whole hours. Nothing was saved.")
        return redirect("signatures:group", domain.name, found.pk)
    set_drift_policy(form.save(commit=False), actor=get_actor(request).email)
    messages.success(request, f"Policy saved: {found.get_drift_policy_display().lower()}.")
    return redirect("signatures:group", domain.name, found.pk)
