"""Admin of senders and their groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin
from portal.access import get_actor
from signatures.models import Group, Sender
from signatures.senders.groups import reorder_groups
from signatures.senders.values import set_own_values

from .forms import (
    KEPT_HERE,
    OVER_OUTREACH,
    GroupForm,
    SenderForm,
    live_order,
)


@admin.register(Group)
class GroupAdmin(OperatorAdmin):
    """The groups' order. Groups come from teams and the default group from the portal, so none is added here."""

    form = GroupForm
    list_display = ["name", "domain", "position", "is_default", "template", "sender_count", "archived_at"]
    list_filter = ["is_default", ("archived_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain", "assignment__template"]
    search_fields = ["name", "domain__name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        active = Count("senders", filter=Q(senders__is_active=True))
        return super().get_queryset(request).annotate(active_count=active)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[str]:
        follows = obj is not None and obj.follows_team_id
        fixed = ["domain", "team", "template", "archived_at", "created_at"]
        return [*fixed, "name"] if follows else fixed

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> list[Any]:
        is_placed = obj is not None and not obj.is_default and obj.archived_at is None
        return [
            "domain",
            "name",
            *(["place"] if is_placed else []),
            "team",
            "template",
            "archived_at",
            "created_at",
        ]

    @admin.display(description="Follows the team")
    def team(self, group: Group) -> str:
        return group.follows_team_id or "none"

    @admin.display(description="Template")
    def template(self, group: Group) -> str:
        assignment = getattr(group, "assignment", None)
        return str(assignment.template) if assignment else "as everybody else"

    @admin.display(description="Senders", ordering="active_count")
    def sender_count(self, group: Any) -> int:
        return int(group.active_count)

    def save_model(self, request: HttpRequest, obj: Group, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "place" not in form.changed_data:
            return
        order = list(live_order(obj.domain).exclude(pk=obj.pk))
        order.insert(form.cleaned_data["place"] - 1, obj.pk)
        reorder_groups(obj.domain, order, actor_label=get_actor(request).email)


@admin.register(Sender)
class SenderAdmin(OperatorAdmin):
    """People as their signatures see them: what Outreach says stays, what is kept here goes on top."""

    form = SenderForm
    readonly_fields = ["domain", "email", "name", "group", "is_active", "changed_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "domain", "group", "is_active", "changed_at"]}),
        ("Kept here", {"fields": KEPT_HERE}),
        ("Instead of what Outreach says", {"fields": OVER_OUTREACH}),
    ]
    list_display = ["__str__", "email", "group", "domain", "is_active", "changed_at"]
    list_filter = ["is_active", DomainFilter]
    list_select_related = ["domain", "group", "person"]
    search_fields = ["name", "email", "group__name", "=domain__name"]
    date_hierarchy = "changed_at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Sender, form: forms.ModelForm, change: bool) -> None:
        set_own_values(obj, form.get_values(), actor_label=get_actor(request).email)  # type: ignore[attr-defined]
