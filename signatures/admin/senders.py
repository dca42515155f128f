"""Admin of senders and their groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin
from portal.access import get_actor
from signatures.delivery.status import refresh_sender
from signatures.forms.senders import OwnValuesForm
from signatures.models import Group, Sender
from signatures.rendering.fields import BUILT_IN, Source
from signatures.senders.groups import get_group_order, reorder_groups, set_drift_policy
from signatures.senders.values import set_own_values
from signatures.senders.vocabulary import get_vocabulary


class GroupForm(forms.ModelForm):
    """A group's priority, counted from 1; its name where it follows no team."""

    place = forms.IntegerField(
        min_value=1,
        max_value=100_000,
        help_text="1 is the highest priority; it decides for people in several teams.",
    )

    class Meta:
        model = Group
        fields = ["name", "drift_policy", "drift_grace_hours"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "place" not in self.fields:
            return
        order = list(get_group_order(self.instance.domain))
        if self.instance.pk in order:
            self.fields["place"].initial = order.index(self.instance.pk) + 1
        else:
            del self.fields["place"]  # the default group is always last, an archived one nowhere


@admin.register(Group)
class GroupAdmin(OperatorAdmin):
    """Groups and their priority. Groups are created from teams, so none is added here."""

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
            "drift_policy",
            "drift_grace_hours",
            "archived_at",
            "created_at",
        ]

    @admin.display(description="Follows the team")
    def team(self, group: Group) -> str:
        return group.follows_team_id or "none"

    @admin.display(description="Template")
    def template(self, group: Group) -> str:
        assignment = getattr(group, "assignment", None)
        return str(assignment.template) if assignment else "inherited (default)"

    @admin.display(description="Senders", ordering="active_count")
    def sender_count(self, group: Any) -> int:
        return int(group.active_count)

    def save_model(self, request: HttpRequest, obj: Group, form: forms.ModelForm, change: bool) -> None:
        set_drift_policy(obj, actor=get_actor(request).email)
        super().save_model(request, obj, form, change)
        if "place" not in form.changed_data:
            return
        order = list(get_group_order(obj.domain).exclude(pk=obj.pk))
        order.insert(form.cleaned_data["place"] - 1, obj.pk)
        reorder_groups(obj.domain, order, actor=get_actor(request).email)


def _list_fields(source: Source) -> tuple[str, ...]:
    return tuple(one.name for one in BUILT_IN.of_senders(source))


@admin.register(Sender)
class SenderAdmin(OperatorAdmin):
    """Senders. Outreach's values are read-only; local fields and overrides can be edited."""

    readonly_fields = ["domain", "email", "name", "group", "is_active", "changed_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "domain", "group", "is_active", "changed_at"]}),
        ("Local fields", {"fields": _list_fields(Source.PORTAL)}),
        ("Override Outreach values", {"fields": _list_fields(Source.OUTREACH)}),
    ]
    list_display = ["__str__", "email", "group", "domain", "is_active", "changed_at"]
    list_filter = ["is_active", DomainFilter]
    list_select_related = ["domain", "group", "person"]
    search_fields = ["name", "email", "group__name", "=domain__name"]
    date_hierarchy = "changed_at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Sender | None = None) -> Any:
        """Return the fieldsets with the custom fields of the sender's domain among the local ones."""
        vocabulary = get_vocabulary(obj.domain) if obj else BUILT_IN
        (none, general), (local, _), (theirs, overrides) = self.fieldsets
        own = [one.name for one in vocabulary.of_senders(Source.PORTAL)]
        return [(none, general), (local, {"fields": own}), (theirs, overrides)]

    def get_form(self, *args: Any, **kwargs: Any) -> type[OwnValuesForm]:
        """Return the portal's form, whose fields are merge fields instead of columns."""
        return OwnValuesForm

    def save_model(self, request: HttpRequest, obj: Sender, form: forms.ModelForm, change: bool) -> None:
        set_own_values(obj, form.get_values(), actor=get_actor(request).email)  # type: ignore[attr-defined]
        refresh_sender(obj)
