"""Admin of media: images and the files behind their addresses, by the portal's own functions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from integrations.admin.base import DomainFilter, OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline, act_on_each
from portal.access import get_actor
from portal.models import Domain
from signatures.forms.media import MediumForm
from signatures.media.library import name_image, remove_image, restore_image
from signatures.models import MediaFile, MediaImage


class MediaFileInline(ReadOnlyInline):
    """Files of one image, the newest first; a file never changes."""

    model = MediaFile
    fields = ["digest", "media_type", "width", "height", "note", "created_at", "replaced_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MediaFile]:
        return super().get_queryset(request).defer("bytes_1x", "bytes_2x")


@admin.register(MediaImage)
class MediaImageAdmin(OperatorAdmin):
    """Images of all domains. They are uploaded and cropped on the portal's pages; nothing is deleted here."""

    form = MediumForm
    fields = ["domain", "sender", "kind", "name", "alt", "created_by_label", "created_at", "removed_at"]
    readonly_fields = ["domain", "sender", "kind", "created_by_label", "created_at", "removed_at"]
    list_display = ["name", "domain", "sender", "kind", "created_at", "removed_at"]
    list_filter = [
        "kind",
        ("removed_at", admin.EmptyFieldListFilter),
        ("sender", admin.EmptyFieldListFilter),
        DomainFilter,
    ]
    list_select_related = ["domain", "sender"]
    search_fields = ["name", "domain__name", "sender__name", "sender__email"]
    date_hierarchy = "created_at"
    hidden = ("source", "files")
    inlines = [MediaFileInline]
    actions = ["remove", "restore"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MediaImage]:
        return super().get_queryset(request).defer("source")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: MediaImage, form: forms.ModelForm, change: bool) -> None:
        stored = MediaImage.objects.select_related("domain").defer("source").get(pk=obj.pk)
        name_image(
            stored,
            name=form.cleaned_data["name"],
            alt=form.cleaned_data["alt"],
            actor=get_actor(request).email,
        )

    def _act(self, request: HttpRequest, rows: QuerySet[MediaImage], act: Any, said: str) -> None:
        def do(image: MediaImage) -> str:
            act(image, actor=get_actor(request).email)
            return said

        act_on_each(request, rows.select_related("domain"), do)

    @admin.action(description="Remove")
    def remove(self, request: HttpRequest, queryset: QuerySet[MediaImage]) -> None:
        self._act(request, queryset, remove_image, "removed; mailboxes that hold it keep showing it.")

    @admin.action(description="Restore")
    def restore(self, request: HttpRequest, queryset: QuerySet[MediaImage]) -> None:
        self._act(request, queryset, restore_image, "restored.")


class ImageDomainFilter(DomainFilter):
    path = "image__domain"


@admin.register(MediaFile)
class MediaFileAdmin(ReadOnlyAdmin):
    """Files behind the addresses of images: each crop of each image, without its bytes."""

    list_display = ["digest", "image", "domain", "media_type", "width", "height", "created_at", "replaced_at"]
    list_filter = ["media_type", ("replaced_at", admin.EmptyFieldListFilter), ImageDomainFilter]
    search_fields = ["=digest", "image__name"]
    date_hierarchy = "created_at"
    exclude = ["bytes_1x", "bytes_2x"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MediaFile]:
        rows = super().get_queryset(request).select_related("image__domain")
        return rows.defer("bytes_1x", "bytes_2x", "image__source")

    @admin.display(description="Domain")
    def domain(self, file: MediaFile) -> Domain:
        return file.image.domain
