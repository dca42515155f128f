"""Admin of senders, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyAdmin, act_on_each
from integrations.admin.long_lists import LongList, list_domain_ids, list_spellings
from portal.access import get_actor
from signatures.delivery.status import refresh_sender
from signatures.forms.senders import OwnValuesForm
from signatures.models import Group, SavedView, Sender
from signatures.releases.publish import requires_approval
from signatures.rendering.fields import BUILT_IN, Source
from signatures.senders.saved_views import ViewRefused, delete_view
from signatures.senders.values import set_own_values
from signatures.senders.vocabulary import get_vocabulary


def _list_fields(source: Source) -> tuple[str, ...]:
    return tuple(one.name for one in BUILT_IN.of_senders(source))


class LocalValueFilter(admin.SimpleListFilter):
    """Narrows the list to senders with a local value, of any field or of one that overrides Outreach's."""

    title = "local value"
    parameter_name = "local"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        fields = BUILT_IN.of_senders(Source.OUTREACH)
        return [("any", "Any field"), *((one.name, f"Overrides {one.label}") for one in fields)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Sender]) -> QuerySet[Sender]:
        if not self.value():
            return queryset
        if self.value() == "any":
            return queryset.exclude(own_values={})
        return queryset.filter(own_values__has_key=self.value())


class ByHandFilter(admin.SimpleListFilter):
    """Narrows the list to senders whom a group includes or excludes by hand."""

    title = "group by hand"
    parameter_name = "by_hand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("included", "Included"), ("excluded", "Excluded")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Sender]) -> QuerySet[Sender]:
        chosen = {"included": Group.included.through, "excluded": Group.excluded.through}.get(
            self.value() or ""
        )
        return queryset.filter(pk__in=chosen.objects.values("sender")) if chosen else queryset


@admin.register(Sender)
class SenderAdmin(LongList, OperatorAdmin):
    """Senders. Outreach's values are read-only; local fields and overrides can be edited.

    Where a second person approves releases, what is typed here waits for one, too.
    """

    readonly_fields = ["domain", "email", "name", "group", "is_active", "changed_at"]
    fieldsets = [
        (None, {"fields": ["email", "name", "domain", "group", "is_active", "changed_at"]}),
        ("Local fields", {"fields": _list_fields(Source.PORTAL)}),
        ("Override Outreach values", {"fields": _list_fields(Source.OUTREACH)}),
    ]
    list_display = ["__str__", "email", "group", "domain", "is_active", "changed_at"]
    list_filter = ["is_active", LocalValueFilter, ByHandFilter, DomainFilter]
    list_select_related = ["domain", "group", "person"]
    search_fields = ["name", "email"]
    search_takes = "A whole name or address; the domain’s list of senders finds parts of them."
    ordering = ["domain_id", "name"]

    def find(self, words: str) -> Q:
        return Q(domain__in=list_domain_ids()) & (Q(name=words) | Q(email__in=list_spellings(words)))

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
        values, waits = form.get_values(), requires_approval(obj.domain)  # type: ignore[attr-defined]
        set_own_values(obj, values, actor=get_actor(request).email, waits=waits)
        refresh_sender(obj)


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    """Filters of the list of senders under a name; somebody's own ones stay theirs."""

    list_display = ["name", "domain", "owner", "query", "created_by_label", "created_at"]
    list_filter = [("owner", admin.EmptyFieldListFilter), DomainFilter]
    list_select_related = ["domain", "owner"]
    search_fields = ["name", "created_by_label", "domain__name"]
    date_hierarchy = "created_at"
    actions = ["delete_shared"]

    @admin.action(description="Delete shared views")
    def delete_shared(self, request: HttpRequest, rows: QuerySet[SavedView]) -> None:
        by = get_actor(request)

        def act(view: SavedView) -> str:
            if view.owner_id is not None:
                raise ViewRefused(f"{view.owner} deletes it on the list of senders.")
            delete_view(view, by=by)
            return "deleted."

        act_on_each(request, rows.select_related("domain", "owner"), act, refusals=(ViewRefused,))
