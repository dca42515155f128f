"""Admin of brands, disclaimers and templates, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyInline, is_operator
from portal.access import get_actor
from signatures.authoring.brand import save_brand
from signatures.authoring.templates import save_template
from signatures.forms.brand import BrandForm, DisclaimerForm
from signatures.forms.templates import TemplateForm
from signatures.models import Brand, Disclaimer, Template, TemplateVersion
from signatures.releases.content import BRAND
from signatures.releases.draft import note_edit
from signatures.senders.company import add_disclaimer, remove_disclaimer


class AdminTemplateForm(TemplateForm):
    """The portal's form, with the domain and a description."""

    class Meta(TemplateForm.Meta):
        fields = ["domain", *TemplateForm.Meta.fields, "description"]


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
