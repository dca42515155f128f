"""Admin of brands, templates and their assignments, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyInline, is_operator
from portal.access import get_actor
from signatures.authoring.brand import save_brand
from signatures.authoring.templates import assign_template, save_template
from signatures.forms.brand import BrandForm, DisclaimerForm
from signatures.forms.templates import TemplateForm
from signatures.models import Assignment, Brand, Disclaimer, Template, TemplateVersion
from signatures.releases.content import BRAND
from signatures.releases.draft import note_edit
from signatures.senders.company import add_disclaimer, remove_disclaimer


class AdminTemplateForm(TemplateForm):
    """The portal's form, with the domain and a description."""

    class Meta(TemplateForm.Meta):
        fields = ["domain", *TemplateForm.Meta.fields, "description"]


class AssignmentForm(forms.ModelForm):
    """A template for one group or one sender, all of one domain."""

    class Meta:
        model = Assignment
        fields = ["template", "group", "sender"]

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


@admin.register(Brand)
class BrandAdmin(OperatorAdmin):
    """Brands: company values in a domain's signatures."""

    form = BrandForm
    fields = ["domain", *BrandForm.Meta.fields]
    autocomplete_fields = ["domain"]
    list_display = ["domain", "name", "website", "phone"]
    list_display_links = ["domain"]
    list_select_related = ["domain"]
    search_fields = ["name", "domain__name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Brand | None = None) -> list[str]:
        return ["domain"] if obj else []

    def save_model(self, request: HttpRequest, obj: Brand, form: forms.ModelForm, change: bool) -> None:
        save_brand(obj, form.changed_data, actor=get_actor(request).email)


class AdminDisclaimerForm(DisclaimerForm):
    """The portal's form, with the domain and the group."""

    class Meta(DisclaimerForm.Meta):
        fields = ["domain", "group", *DisclaimerForm.Meta.fields]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        group, domain = cleaned.get("group"), cleaned.get("domain")
        if group is not None and domain is not None and group.domain_id != domain.pk:
            self.add_error("group", f"This group is of {group.domain}, the disclaimer of {domain}.")
        return cleaned


@admin.register(Disclaimer)
class DisclaimerAdmin(OperatorAdmin):
    """Disclaimers for some days, of a company or of one group; added and removed as drafts."""

    form = AdminDisclaimerForm
    fields = ["domain", "group", "text", "starts_on", "ends_on"]
    autocomplete_fields = ["domain", "group"]
    list_display = ["__str__", "domain", "group", "starts_on", "ends_on"]
    list_filter = [DomainFilter, "starts_on", "ends_on"]
    list_select_related = ["domain", "group"]
    search_fields = ["text", "domain__name", "group__name"]

    def has_change_permission(self, request: HttpRequest, obj: Disclaimer | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Disclaimer | None = None) -> bool:
        return is_operator(request)

    def save_model(self, request: HttpRequest, obj: Disclaimer, form: forms.ModelForm, change: bool) -> None:
        add_disclaimer(obj, actor=get_actor(request).email)
        self._note(request, obj)

    def delete_model(self, request: HttpRequest, obj: Disclaimer) -> None:
        self._note(request, obj)
        remove_disclaimer(obj, actor=get_actor(request).email)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Disclaimer]) -> None:
        for row in queryset.select_related("domain", "group"):
            self.delete_model(request, row)

    def _note(self, request: HttpRequest, row: Disclaimer) -> None:
        key = f"group:{row.group_id}" if row.group_id else BRAND
        note_edit(row.domain, key, actor=get_actor(request).email)


class TemplateVersionInline(ReadOnlyInline):
    """Versions, newest first; a version never changes."""

    model = TemplateVersion
    fields = ["number", "created_by_label", "created_at", "warnings"]


@admin.register(Template)
class TemplateAdmin(OperatorAdmin):
    """Templates. Saving a changed source checks and sanitizes it and creates a version, as the editor does."""

    form = AdminTemplateForm
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
        by = get_actor(request)
        saved = save_template(
            obj.domain,
            name=obj.name,
            source=form.cleaned_data["source"],
            actor=by.email,
            by=by,
            template=Template.objects.get(pk=obj.pk) if change else None,
        )
        Template.objects.filter(pk=saved.template_id).update(description=obj.description)
        obj.pk = saved.template_id
        obj.refresh_from_db()


@admin.register(Assignment)
class AssignmentAdmin(OperatorAdmin):
    """Template assignments: one template for a group, or for one sender, which has priority."""

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

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        for assignment in queryset.select_related("domain", "group", "sender"):
            self.delete_model(request, assignment)
