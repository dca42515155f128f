"""Media retention: removes images and former crops of long ago, once nothing names them any more."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from portal.batches import get_limit
from signatures.models import MediaFile, MediaImage

from .usage import is_held


def remove_old_media(*, writes: bool = True) -> dict[str, int]:
    """Return how many images and former crops went, or without `writes` would go.

    They go MEDIA_KEEP_DAYS after they were removed or replaced, and never while a template version, a value, a
    release or a signature that is kept or stands in a mailbox names a file of theirs: a mailbox may still show it.
    """
    removed = get_old_images()
    replaced = get_old_crops().exclude(image__in=removed)
    files = MediaFile.objects.select_related("image__domain").defer("bytes_1x", "bytes_2x", "image__source")
    held = {file.image_id for file in files.filter(image__in=removed) if is_held(file)}
    images = [pk for pk in removed.values_list("pk", flat=True) if pk not in held]
    crops = [file.pk for file in files.filter(pk__in=replaced.values("pk")) if not is_held(file)]
    if writes:
        # The conditions hold once more as a row is deleted: it may have been offered again meanwhile.
        for pk in images:
            removed.filter(pk=pk).delete()
        for pk in crops:
            replaced.filter(pk=pk).delete()
    return {"media": len(images), "former crops of media": len(crops)}


def get_old_images() -> QuerySet[MediaImage]:
    """Return images removed long ago: what goes at most, as a mailbox may still show one."""
    return MediaImage.objects.filter(removed_at__lt=get_limit(settings.MEDIA_KEEP_DAYS))


def get_old_crops() -> QuerySet[MediaFile]:
    """Return crops replaced long ago: what goes at most."""
    return MediaFile.objects.filter(replaced_at__lt=get_limit(settings.MEDIA_KEEP_DAYS))
