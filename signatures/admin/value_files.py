"""Imports of values in Django admin: looked at; they are applied and undone on the domain's pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, ReadOnlyAdmin
from signatures.models import SenderImport, SenderImportRow


@admin.register(SenderImport)
class SenderImportAdmin(ReadOnlyAdmin):
    """Files with values of senders, and what became of each."""

    list_display = [
        "file_name", "domain", "state", "lines", "applied_number", "uploaded_by_label", "created_at", "applied_at",
    ]  # fmt: skip
    list_filter = ["state", "waits", DomainFilter]
    list_select_related = ["domain"]
    search_fields = ["=id", "file_name", "uploaded_by_label", "=sha256", "domain__name"]
    date_hierarchy = "created_at"
    hidden = ("content", "rows")
    exclude = ["content", "uploaded_by"]  # the label outlives the account

    def get_queryset(self, request: HttpRequest) -> QuerySet[SenderImport]:
        return super().get_queryset(request).defer("content")


class ImportDomainFilter(DomainFilter):
    path = "sender_import__domain"


@admin.register(SenderImportRow)
class SenderImportRowAdmin(ReadOnlyAdmin):
    """Rows of these files: what each would change, or changed."""

    list_display = ["sender_import", "line", "address", "sender", "state", "reason"]
    list_filter = ["state", ImportDomainFilter]
    search_fields = ["=sender_import__id", "=address"]
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SenderImportRow]:
        rows = super().get_queryset(request).select_related("sender_import", "sender")
        return rows.defer("sender_import__content")
