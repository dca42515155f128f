"""Admin of fields: what domains say about their merge fields, and custom ones."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, RefusableAdmin, act_on_each
from portal.access import get_actor
from signatures.authoring.field_settings import FieldRefused, add_custom_field, save_setting, set_removed
from signatures.forms.fields import FieldForm, NewFieldForm
from signatures.models import FieldSetting
from signatures.rendering.fields import CUSTOM_PREFIX
from signatures.senders.vocabulary import get_vocabulary


class CustomFilter(admin.SimpleListFilter):
    """Tells custom fields from built-in ones."""

    title = parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("custom", "Custom"), ("built-in", "Built in")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FieldSetting]) -> QuerySet[FieldSetting]:
        if self.value() is None:
            return queryset
        custom = Q(name__startswith=CUSTOM_PREFIX)
        return queryset.filter(custom if self.value() == "custom" else ~custom)


class AdminNewFieldForm(forms.ModelForm):
    """The portal's form of a custom field, with the domain."""

    label = NewFieldForm.base_fields["label"]
    kind = NewFieldForm.base_fields["kind"]
    help = NewFieldForm.base_fields["help"]

    class Meta:
        model = FieldSetting
        fields = ["domain", "label", "help"]


@admin.register(FieldSetting)
class FieldSettingAdmin(RefusableAdmin):
    """Fields of which a domain says something. Custom ones are added, removed and restored, as on the portal's page."""

    list_display = ["__str__", "name", "domain", "is_required", "edited_by", "removed_at"]
    list_filter = [
        CustomFilter,
        "is_required",
        "edited_by",
        ("removed_at", admin.EmptyFieldListFilter),
        DomainFilter,
    ]
    list_select_related = ["domain"]
    search_fields = ["name", "label", "domain__name"]
    autocomplete_fields = ["domain"]
    refusals = (FieldRefused,)
    actions = ["remove", "restore"]

    def get_fields(self, request: HttpRequest, obj: FieldSetting | None = None) -> Any:
        return list(self._make_form(obj).fields) if obj else ["domain", "label", "kind", "help"]

    def get_form(
        self, request: HttpRequest, obj: FieldSetting | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the portal's form, whose inputs depend on the field; of a new one, its kind and label."""
        if obj:
            return partial(self._make_form, obj)
        return super().get_form(request, obj, change, form=AdminNewFieldForm, **kwargs)

    def _make_form(self, setting: FieldSetting, *args: Any, **kwargs: Any) -> FieldForm:
        vocabulary = get_vocabulary(setting.domain)
        return FieldForm(
            *args,
            **{"instance": setting, **kwargs},
            field=vocabulary.by_name[setting.name],
            vocabulary=vocabulary,
            is_admin=True,
        )

    def save_model(
        self, request: HttpRequest, obj: FieldSetting, form: forms.ModelForm, change: bool
    ) -> None:
        actor = get_actor(request).email
        if change:
            save_setting(obj, form.changed_data, actor=actor)
            return
        typed = {name: form.cleaned_data[name] for name in NewFieldForm.base_fields}
        obj.pk = add_custom_field(obj.domain, **typed, actor=actor).pk
        obj.refresh_from_db()

    def _set_removed(self, request: HttpRequest, rows: QuerySet[FieldSetting], *, is_removed: bool) -> None:
        def act(setting: FieldSetting) -> str:
            if not setting.name.startswith(CUSTOM_PREFIX):
                raise FieldRefused("Built-in fields stay.")
            set_removed(setting, is_removed=is_removed, actor=get_actor(request).email)
            return f"{'removed' if is_removed else 'restored'} as a draft."

        act_on_each(request, rows.select_related("domain"), act, refusals=(FieldRefused,))

    @admin.action(description="Remove custom fields")
    def remove(self, request: HttpRequest, rows: QuerySet[FieldSetting]) -> None:
        self._set_removed(request, rows, is_removed=True)

    @admin.action(description="Restore custom fields")
    def restore(self, request: HttpRequest, rows: QuerySet[FieldSetting]) -> None:
        self._set_removed(request, rows, is_removed=False)
