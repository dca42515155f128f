"""Admin of template assignments, always and for some days, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, is_operator
from portal.access import get_actor
from signatures.authoring.dated_assignments import add_dated_assignment, remove_dated_assignment
from signatures.authoring.templates import assign_template
from signatures.forms.dated_assignments import DatedAssignmentForm
from signatures.models import Assignment, DatedAssignment


class OwnerForm(forms.ModelForm):
    """A template for one group or one sender, all of one domain."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        template = cleaned.get("template")
        group = cleaned.get("group") or (self.instance.group if self.instance.pk else None)
        sender = cleaned.get("sender") or (self.instance.sender if self.instance.pk else None)
        if (group is None) == (sender is None):
            raise ValidationError("Choose either a group or a sender.")
        owner = group or sender
        if template and owner and template.domain_id != owner.domain_id:
            self.add_error("template", f"This template is another domain’s; {owner} is of {owner.domain}.")
        if template and template.archived_at:
            self.add_error("template", "This template is archived. Choose another one.")
        return cleaned


class AssignmentForm(OwnerForm):
    class Meta:
        model = Assignment
        fields = ["template", "group", "sender"]


class AdminDatedAssignmentForm(OwnerForm, DatedAssignmentForm):
    """The portal's form, with the group or the sender."""

    class Meta(DatedAssignmentForm.Meta):
        fields = [*DatedAssignmentForm.Meta.fields, "group", "sender"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "id_%s"})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        owner = cleaned.get("group") or cleaned.get("sender")
        if owner is not None and not self.instance.domain_id:
            self.instance.domain = owner.domain
        return cleaned


class _AssignmentAdmin(OperatorAdmin):
    """What both kinds have in common: whose it is cannot change, and each may be deleted."""

    autocomplete_fields = ["template", "group", "sender"]
    list_select_related = ["domain", "template", "group", "sender"]
    search_fields = ["template__name", "group__name", "sender__name", "sender__email", "domain__name"]
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["domain", "created_at", *(["group", "sender"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for assignment in queryset.select_related("domain", "template", "group", "sender"):
            self.delete_model(request, assignment)


@admin.register(Assignment)
class AssignmentAdmin(_AssignmentAdmin):
    """Template assignments: one template for a group, or for one sender, which has priority."""

    form = AssignmentForm
    fields = ["template", "group", "sender", "domain", "created_at"]
    list_display = ["__str__", "domain", "template", "group", "sender", "created_at"]
    list_filter = [("sender", admin.EmptyFieldListFilter), DomainFilter]

    def save_model(self, request: HttpRequest, obj: Assignment, form: forms.ModelForm, change: bool) -> None:
        owner = obj.group or obj.sender
        saved = owner and assign_template(
            owner.domain,
            template=obj.template,
            group=obj.group,
            sender=obj.sender,
            actor=get_actor(request).email,
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
            actor=get_actor(request).email,
        )


@admin.register(DatedAssignment)
class DatedAssignmentAdmin(_AssignmentAdmin):
    """Template assignments for some days, of a group or of one sender; added and removed as drafts."""

    form = AdminDatedAssignmentForm
    fields = ["template", "group", "sender", "starts_on", "ends_on", "domain", "created_at"]
    list_display = ["__str__", "domain", "template", "group", "sender", "starts_on", "ends_on"]
    list_filter = [("sender", admin.EmptyFieldListFilter), DomainFilter, "starts_on", "ends_on"]

    def has_change_permission(self, request: HttpRequest, obj: DatedAssignment | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: DatedAssignment, form: forms.ModelForm, change: bool
    ) -> None:
        add_dated_assignment(obj, actor=get_actor(request).email)

    def delete_model(self, request: HttpRequest, obj: DatedAssignment) -> None:
        remove_dated_assignment(obj, actor=get_actor(request).email)
