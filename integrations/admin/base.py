"""Admin base: pages on which operators look, derived rows stay as they are, and actions say what they did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.formats import date_format

from integrations.catalogue import list_scope_names
from portal.models import Domain
from portal.paging import BoundedPaginator

SHOWN_ROWS = 200
SHOWN_DOMAINS = 50  # more are reached by searching for the domain's name

Row = TypeVar("Row", bound=Model)


def is_operator(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_staff)


def say_instant(at: datetime | None) -> str:
    """Return an instant to the second with its zone, where the admin's own words are too coarse."""
    return date_format(timezone.localtime(at), "j M Y, H:i:s e") if at else ""


class BoundedChangeList(ChangeList):
    """A list whose dates in the address may be any number; Django's own fails at one that no calendar has."""

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except OverflowError as error:
            raise IncorrectLookupParameters(error) from error


class OperatorAdmin(admin.ModelAdmin):
    """Every operator may look, add and change. Nothing is deleted unless a page says otherwise.

    No list counts all of its rows: it is counted and paged up to a bound.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    change_list_template = "admin/long_change_list.html"
    hidden: tuple[str, ...] = ()  # columns that are neither shown nor asked about through the address

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Refuse filters on hidden columns too: asked often enough, a filter tells what a column holds."""
        return lookup.split("__")[0] not in self.hidden and super().lookup_allowed(lookup, value, request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(OperatorAdmin):
    """Mirrors, runs and records: looked at and acted on, never typed into. A row's page has its list's actions."""

    change_form_template = "admin/read_only_change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["acts"] = self.get_action_choices(request, default_choices=[])
        return super().render_change_form(request, context, *args, **kwargs)


class RefusableAdmin(OperatorAdmin):
    """Shows why a save was refused although the form was valid. refusals: errors whose words are for a person."""

    refusals: tuple[type[Exception], ...] = ()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except self.refusals as refusal:
            messages.error(request, f"Nothing was saved. {refusal}")
            return redirect(request.get_full_path())


class FirstRows(BaseInlineFormSet):
    """The first rows alone: a page stays a page where a hundred thousand belong to one row."""

    def get_queryset(self) -> QuerySet[Any]:
        if not hasattr(self, "_first_rows"):
            self._first_rows = super().get_queryset()[:SHOWN_ROWS]
        return self._first_rows


class ReadOnlyInline(admin.TabularInline):
    """The first two hundred rows that belong to the one shown, and no more than looking at them."""

    formset = FirstRows
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DomainFilter(admin.SimpleListFilter):
    """Narrows a list to one domain, by name: the first fifty, and the chosen one."""

    title = "domain"
    parameter_name = "domain"
    path = "domain"  # from the listed rows to their domain

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = list(Domain.objects.values_list("name", flat=True)[:SHOWN_DOMAINS])
        chosen = self.value()
        return [(name, name) for name in dict.fromkeys([*names, *([chosen] if chosen else [])])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.path}__name": self.value()}) if self.value() else queryset


class ConnectionDomainFilter(DomainFilter):
    """The same for rows that reach their domain through a connection."""

    path = "connection__domain"


class ScopeFilter(admin.SimpleListFilter):
    """Narrows the ledger to one permission that we request; the table of calls names them, not the rows."""

    title = parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in list_scope_names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(scope=self.value()) if self.value() else queryset


class RetiredFilter(admin.SimpleListFilter):
    """Tells what Outreach still lists from what it does not list any more."""

    title = "in Outreach"
    parameter_name = "listed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Listed"), ("no", "Not listed any more")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(retired_at__isnull=self.value() == "yes")


def act_on_each(
    request: HttpRequest,
    rows: QuerySet[Row],
    act: Callable[[Row], str],
    *,
    refusals: tuple[type[Exception], ...] = (),
) -> None:
    """Each row was acted on, and its outcome told; one that is refused never stops the rest.

    act: does it and returns the sentence to tell. refusals: errors whose words are for a person.
    """
    for row in rows:
        try:
            sentence = act(row)
        except refusals as refusal:
            messages.warning(request, f"{row}: {refusal}")
        else:
            messages.success(request, f"{row}: {sentence}")
