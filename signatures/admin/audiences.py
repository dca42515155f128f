"""Admin of recipient lists and field labels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, act_on_each, is_operator
from portal.access import get_actor
from signatures.audiences.labels import delete_label, save_label
from signatures.audiences.list_files import FileRefused, check_file
from signatures.audiences.lists import ListRefused, delete_list, save_list
from signatures.forms.audiences import LabelForm, ListForm
from signatures.models import (
    AttributeLabel,
    RecipientList,
)


class AdminListForm(forms.ModelForm):
    """A recipient list's name and file; without a file, its entries stay."""

    file = ListForm.base_fields["file"]

    class Meta:
        model = RecipientList
        fields = ["domain", "name"]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        try:
            check_file(file.file)
        except FileRefused as error:
            raise ValidationError([error.message, *(line.reason for line in error.bad_lines)]) from error
        return file


@admin.register(RecipientList)
class RecipientListAdmin(OperatorAdmin):
    """Recipient lists, created and replaced from a file. Only the number of entries is shown."""

    form = AdminListForm
    fields = ["domain", "name", "file"]
    autocomplete_fields = ["domain"]
    list_display = ["name", "domain", "entry_count", "created_by_label", "created_at"]
    list_filter = [DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["name", "domain__name"]
    date_hierarchy = "created_at"
    actions = ["delete_unused"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecipientList]:
        return super().get_queryset(request).annotate(number=Count("entries"))

    def get_readonly_fields(self, request: HttpRequest, obj: RecipientList | None = None) -> list[str]:
        return ["domain"] if obj else []

    @admin.display(description="Entries")
    def entry_count(self, row: RecipientList) -> int:
        return int(row.number)  # type: ignore[attr-defined]  # annotated above

    def save_model(
        self, request: HttpRequest, obj: RecipientList, form: forms.ModelForm, change: bool
    ) -> None:
        saved, _ = save_list(
            obj.domain,
            form.cleaned_data["file"].file,
            name=form.cleaned_data["name"],
            actor=get_actor(request).email,
            present=RecipientList.objects.get(pk=obj.pk) if change else None,
        )
        obj.pk = saved.pk
        obj.refresh_from_db()

    @admin.action(description="Delete unused lists")
    def delete_unused(self, request: HttpRequest, queryset: QuerySet[RecipientList]) -> None:
        def do(row: RecipientList) -> str:
            delete_list(row, actor=get_actor(request).email)
            return "deleted."

        act_on_each(request, queryset, do, refusals=(ListRefused,))


class AdminLabelForm(LabelForm):
    """The portal's form, with the domain."""

    class Meta(LabelForm.Meta):
        fields = ["domain", *LabelForm.Meta.fields]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        super().__init__(
            *args, domain=instance.domain if instance is not None and instance.pk else None, **kwargs
        )


@admin.register(AttributeLabel)
class AttributeLabelAdmin(OperatorAdmin):
    """Labels of custom fields, stages, personas and accounts."""

    form = AdminLabelForm
    fields = ["domain", "kind", "key", "label"]
    autocomplete_fields = ["domain"]
    list_display = ["label", "kind", "key", "domain"]
    list_filter = ["kind", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["label", "key", "domain__name"]

    def get_readonly_fields(self, request: HttpRequest, obj: AttributeLabel | None = None) -> list[str]:
        return ["domain"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: AttributeLabel | None = None) -> bool:
        return is_operator(request)

    def save_model(
        self, request: HttpRequest, obj: AttributeLabel, form: forms.ModelForm, change: bool
    ) -> None:
        saved = save_label(
            obj.domain,
            kind=obj.kind,
            key=form.cleaned_data["key"],
            label=obj.label,
            actor=get_actor(request).email,
            present=AttributeLabel.objects.get(pk=obj.pk) if change else None,
        )
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: AttributeLabel) -> None:
        delete_label(obj, actor=get_actor(request).email)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[AttributeLabel]) -> None:
        for label in queryset.select_related("domain"):
            self.delete_model(request, label)
