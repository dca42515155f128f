"""Admin of fields: what domains say about their merge fields."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin
from portal.access import get_actor
from signatures.authoring.field_settings import save_setting
from signatures.forms.fields import FieldForm
from signatures.models import FieldSetting
from signatures.senders.vocabulary import get_vocabulary


@admin.register(FieldSetting)
class FieldSettingAdmin(OperatorAdmin):
    """Fields of which a domain says something. The portal adds and removes them; here they are edited."""

    list_display = ["__str__", "name", "domain", "is_required", "edited_by", "removed_at"]
    list_filter = ["is_required", "edited_by", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["name", "label", "domain__name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: FieldSetting | None = None) -> Any:
        return list(self._make_form(obj).fields) if obj else []

    def get_form(
        self, request: HttpRequest, obj: FieldSetting | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the portal's form, whose inputs depend on the field; none is added here."""
        return partial(self._make_form, obj) if obj else FieldForm

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
        save_setting(obj, form.changed_data, actor=get_actor(request).email)
