"""Brands, groups, templates, assignments and senders in Django admin, changed by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyInline, get_operator, is_operator
from integrations.ledger.record import record_act
from signatures.authoring.templates import assign_template, save_template
from signatures.forms.senders import BrandForm
from signatures.models import Assignment, Brand, Group, Sender, Template, TemplateVersion
from signatures.senders.groups import reorder_groups
from signatures.senders.values import set_own_values

from .forms import (
    KEPT_HERE,
    OVER_OUTREACH,
    AssignmentForm,
    GroupForm,
    SenderForm,
    TemplateForm,
    live_order,
)


@admin.register(Brand)
class BrandAdmin(OperatorAdmin):
    """What a domain's signatures say about the company."""

    form = BrandForm
    fields = ["domain", "name", "tagline", "website", "phone", "address", "logo_url", "accent", "legal"]
    autocomplete_fields = ["domain"]
    list_display = ["domain", "name", "website", "phone"]
    list_display_links = ["domain"]
    list_select_related = ["domain"]
    search_fields = ["name", "domain__name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Brand | None = None) -> list[str]:
        return ["domain"] if obj else []

    def save_model(self, request: HttpRequest, obj: Brand, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            record_act(
                "company values changed",
                domain=obj.domain,
                actor_label=get_operator(request).email,
                detail=", ".join(form.changed_data),
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
        reorder_groups(obj.domain, order, actor_label=get_operator(request).email)


class TemplateVersionInline(ReadOnlyInline):
    """What was saved, newest first; a version never changes."""

    model = TemplateVersion
    fields = ["number", "created_by_label", "created_at", "warnings"]


@admin.register(Template)
class TemplateAdmin(OperatorAdmin):
    """Designs. Saving a changed source checks it, cleans it and makes a version, as the editor does."""

    form = TemplateForm
    fields = ["domain", "name", "description", "source", "base"]
    autocomplete_fields = ["domain"]
    list_display = ["name", "domain", "version", "created_at", "archived_at"]
    list_filter = [("archived_at", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain", "current"]
    search_fields = ["name", "domain__name"]
    date_hierarchy = "created_at"
    inlines = [TemplateVersionInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Template | None = None) -> list[str]:
        return ["domain"] if obj else []

    @admin.display(description="Version", ordering="current__number")
    def version(self, template: Template) -> int | None:
        return template.current.number if template.current else None

    def save_model(self, request: HttpRequest, obj: Template, form: forms.ModelForm, change: bool) -> None:
        by = get_operator(request)
        saved = save_template(
            obj.domain,
            name=obj.name,
            source=form.cleaned_data["source"],
            by_label=by.email,
            by=by,
            template=Template.objects.get(pk=obj.pk) if change else None,
        )
        Template.objects.filter(pk=saved.template_id).update(description=obj.description)
        obj.pk = saved.template_id
        obj.refresh_from_db()


@admin.register(Assignment)
class AssignmentAdmin(OperatorAdmin):
    """Which template a group, or one sender before it, carries."""

    form = AssignmentForm
    fields = ["template", "group", "sender", "domain", "created_at"]
    autocomplete_fields = ["template", "group", "sender"]
    list_display = ["__str__", "domain", "template", "group", "sender", "created_at"]
    list_filter = [("sender", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain", "template", "group", "sender"]
    search_fields = ["template__name", "group__name", "sender__name", "sender__email", "domain__name"]
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> list[str]:
        return ["domain", "created_at", *(["group", "sender"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Assignment | None = None) -> bool:
        return is_operator(request)

    def save_model(self, request: HttpRequest, obj: Assignment, form: forms.ModelForm, change: bool) -> None:
        owner = obj.group or obj.sender
        saved = owner and assign_template(
            owner.domain,
            template=obj.template,
            group=obj.group,
            sender=obj.sender,
            actor_label=get_operator(request).email,
        )
        if saved:
            obj.pk = saved.pk
            obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: Assignment) -> None:
        assign_template(
            obj.domain,
            template=None,
            group=obj.group,
            sender=obj.sender,
            actor_label=get_operator(request).email,
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        for assignment in queryset.select_related("domain", "group", "sender"):
            self.delete_model(request, assignment)


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
        set_own_values(obj, form.get_values(), actor_label=get_operator(request).email)  # type: ignore[attr-defined]
