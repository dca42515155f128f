"""Admin of domains, members and people; pages of other apps that would show secrets are withdrawn."""

from __future__ import annotations

from typing import Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin
import allauth.usersessions.admin  # noqa: F401 - registered first, so that it can be withdrawn below
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.admin.base import BoundedChangeList, OperatorAdmin, is_operator
from integrations.connection.health import describe
from integrations.models import Connection
from portal.access import get_actor
from portal.accounts.domains import record_domain_made, record_settings_changed, vouch_for_address
from portal.accounts.members import (
    MembershipRefused,
    delete_membership,
    is_only_owner,
    record_added,
    record_removed,
    record_role_changed,
)
from portal.forms.domains import DomainOperatorForm
from portal.models import Domain, Membership, User
from portal.reauth import ask_again, is_recent

from . import background  # noqa: F401 - registers the background's pages
from .forms import ChangeUserForm, MemberForm, MemberFormSet, MembershipForm, NewUserForm

admin.site.site_header = admin.site.site_title = "Countersign"
admin.site.index_title = "Operations"
admin.site.site_url = "/"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # allauth's own recipe

# Tokens, client secrets, seeds and session keys are shown to nobody; addresses belong to the person's page,
# and what a person may do is their role, not a group of permissions.
for model in (SocialToken, SocialApp, SocialAccount, Authenticator, UserSession, EmailAddress, Group):
    admin.site.unregister(model)


class MembershipInline(admin.TabularInline):
    """Who is a member of the domain, and as what."""

    model = Membership
    form = MemberForm
    formset = MemberFormSet
    autocomplete_fields = ["user"]
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


class ConfirmedAdmin(admin.ModelAdmin):
    """Asks for reauthentication within five minutes before a change; what was typed has to be typed again."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._ask_first(request) or super().changeform_view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._ask_first(request) or super().delete_view(request, *args, **kwargs)

    def _ask_first(self, request: HttpRequest) -> HttpResponseBase | None:
        is_asked = request.method == "POST" and not is_recent(request)
        return ask_again(request, back=request.path) if is_asked else None


@admin.register(Domain)
class DomainAdmin(ConfirmedAdmin, OperatorAdmin):
    """Domains (tenants). A domain's name never changes: URLs, ledger and originals refer to it."""

    form = DomainOperatorForm
    fields = [
        "name",
        "time_zone",
        "automatic_sync",
        "automatic_delivery",
        "require_mfa",
        "created_at",
        "portal_page",
    ]
    readonly_fields = ["created_at", "portal_page"]
    list_display = ["name", "condition", "members", "automatic_sync", "automatic_delivery", "created_at"]
    list_filter = ["automatic_sync", "automatic_delivery", "connections__state"]
    search_fields = ["name"]
    date_hierarchy = "created_at"
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Domain]:
        rows = super().get_queryset(request).annotate(member_count=Count("memberships", distinct=True))
        return rows.prefetch_related(Prefetch("connections", Connection.objects.order_by("-authorised_at")))

    def get_readonly_fields(self, request: HttpRequest, obj: Domain | None = None) -> list[str]:
        return [*self.readonly_fields, *(["name"] if obj else [])]

    @admin.display(description="Outreach")
    def condition(self, domain: Domain) -> str:
        connections = list(domain.connections.all())
        is_open = [connection for connection in connections if connection.is_open]
        return describe(next(iter(is_open or connections), None)).label

    @admin.display(description="Members", ordering="member_count")
    def members(self, domain: Any) -> int:
        return int(domain.member_count)

    @admin.display(description="In the portal")
    def portal_page(self, domain: Domain) -> SafeString | str:
        if domain.pk is None:
            return "Available after saving."
        return format_html('<a href="{}">{}</a>', reverse("portal:overview", args=[domain.name]), domain.name)

    def save_model(self, request: HttpRequest, obj: Domain, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change:
            record_settings_changed(obj, form.changed_data, actor=get_actor(request))
        else:
            record_domain_made(obj, actor=get_actor(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = get_actor(request)
        before = {row.instance.pk: row.initial.get("role", "") for row in formset.initial_forms}
        super().save_formset(request, form, formset, change)
        for membership in formset.new_objects:
            record_added(membership, actor=actor)
        for membership, _ in formset.changed_objects:
            record_role_changed(membership, before[membership.pk], actor=actor)
        for membership in formset.deleted_objects:
            record_removed(membership, actor=actor)


@admin.register(Membership)
class MembershipAdmin(ConfirmedAdmin, OperatorAdmin):
    """One person's role in one domain; only the role changes."""

    form = MembershipForm
    fields = ["domain", "user", "role", "created_at"]
    autocomplete_fields = ["domain", "user"]
    list_display = ["user_email", "domain", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["domain", "user"]
    search_fields = ["user__email", "user__first_name", "user__last_name", "domain__name"]
    date_hierarchy = "created_at"

    @admin.display(description="Person", ordering="user__email")
    def user_email(self, membership: Membership) -> str:
        return membership.user.email

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> list[str]:
        return ["created_at", *(["domain", "user"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """Delete one membership at a time, and never the domain's only owner."""
        return obj is not None and is_operator(request) and not is_only_owner(obj)

    def save_model(self, request: HttpRequest, obj: Membership, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            record_added(obj, actor=get_actor(request))
        elif "role" in form.changed_data:
            record_role_changed(obj, form.initial["role"], actor=get_actor(request))

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        try:
            delete_membership(obj, actor=get_actor(request))
        except MembershipRefused as refusal:
            raise PermissionDenied(refusal.message) from refusal


@admin.register(User)
class UserAdmin(ConfirmedAdmin, DjangoUserAdmin):
    """People who sign in, by address.

    Read-only for operators; superusers create accounts and operators. Nobody is deleted, as the ledger names
    who acted; people who leave are made inactive.
    """

    form = ChangeUserForm
    add_form = NewUserForm
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Name", {"fields": ["first_name", "last_name"]}),
        ("May", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "usable_password", "password1", "password2"]})
    ]
    readonly_fields = ["last_login", "date_joined"]
    list_display = ["email", "first_name", "last_name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "first_name", "last_name"]
    ordering = ["email"]
    filter_horizontal = []
    date_hierarchy = "date_joined"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_operator(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._ask_first(request) or super().user_change_password(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or "email" in form.changed_data:
            vouch_for_address(obj)
