"""Media: images of a domain for its signatures, and the files that stand behind their public addresses."""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q

from portal.models import Domain

from .per_domain import PerDomainManager
from .sender import Sender


def make_media_key() -> str:
    """Return a random token of 22 characters (128 bits)."""
    return secrets.token_urlsafe(16)


class MediaKind(models.TextChoices):
    LOGO = "logo", "Logo"
    PHOTO = "photo", "Photo"
    ICON = "icon", "Icon"
    IMAGE = "image", "Image"


class MediaLibrary(models.Model):
    """A domain's part of the addresses of its images. It never changes: mailboxes hold them."""

    domain = models.OneToOneField(Domain, on_delete=models.CASCADE, primary_key=True, related_name="media")
    key = models.CharField(max_length=22, unique=True, default=make_media_key, editable=False)

    objects = PerDomainManager["MediaLibrary"]()

    class Meta:
        verbose_name_plural = "media libraries"

    def __str__(self) -> str:
        return f"media of {self.domain.name}"


class MediaImage(models.Model):
    """One uploaded image. `current` is the file that is offered; earlier crops keep their files.

    source: the upload re-encoded without metadata, for another crop; it has no public address.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="media_images")
    sender = models.ForeignKey(
        Sender,
        null=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="photos",
        help_text="Who uploaded it by self-service, and alone changes it there.",
    )
    kind = models.CharField(max_length=8, choices=MediaKind.choices)
    name = models.CharField(max_length=120)
    alt = models.CharField("alt text", max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, editable=False, help_text="Digest of the file as uploaded.")
    source = models.BinaryField(editable=False)
    source_type = models.CharField(max_length=16, editable=False)
    source_width = models.PositiveSmallIntegerField(editable=False)
    source_height = models.PositiveSmallIntegerField(editable=False)
    current = models.ForeignKey(
        "MediaFile", null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    created_by_label = models.CharField(max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "kind", "sha256"],
                condition=Q(sender=None),
                name="one_medium_per_kind_and_digest",
            ),
            models.UniqueConstraint(
                fields=["sender", "sha256"],
                condition=Q(sender__isnull=False),
                name="one_photo_per_sender_and_digest",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MediaFile(models.Model):
    """An image as it is served: the same bytes for everybody, never changed, found by their digest.

    Stored in the database, so that every web server can serve it. crop: x, y, width and height in the source.
    """

    image = models.ForeignKey(MediaImage, on_delete=models.CASCADE, related_name="files")
    digest = models.CharField(max_length=32, db_index=True)
    media_type = models.CharField(max_length=16)
    width = models.PositiveSmallIntegerField(help_text="At 1×, in pixels.")
    height = models.PositiveSmallIntegerField()
    bytes_1x = models.BinaryField()
    bytes_2x = models.BinaryField(help_text="The same as at 1× if twice the pixels are too many bytes.")
    crop = models.JSONField()
    transparent_percent = models.PositiveSmallIntegerField(default=0, help_text="Of its pixels.")
    ink_luma = models.PositiveSmallIntegerField(
        default=255, help_text="Mean luma of the other pixels, 0 for black to 255 for white."
    )
    note = models.CharField(max_length=400, blank=True, help_text="What limits the result.")
    replaced_at = models.DateTimeField(null=True, help_text="When another crop took its place.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["image", "digest"], name="one_file_per_digest")]

    def __str__(self) -> str:
        return f"{self.width} × {self.height} {self.media_type}"
