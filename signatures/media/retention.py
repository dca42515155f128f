"""Media retention: removes files that were removed or replaced long ago, once nothing names them any more."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q

from portal.batches import get_limit
from signatures.models import MediaFile, MediaImage

from .usage import is_held


def remove_old_media(*, writes: bool = True) -> dict[str, int]:
    """Return how many files and images went, or without `writes` would go.

    A file goes MEDIA_KEEP_DAYS after it was removed or replaced, and never while a template version, a value, a
    release or a signature that is kept or stands in a mailbox names it: a mailbox may still show it.
    """
    limit = get_limit(settings.MEDIA_KEEP_DAYS)
    over = Q(replaced_at__lt=limit) | Q(image__removed_at__lt=limit)
    files = MediaFile.objects.filter(over).select_related("image__domain").order_by("pk")
    going = [
        file.pk
        for file in files.defer("bytes_1x", "bytes_2x", "image__source").iterator()
        if not is_held(file)
    ]
    images = MediaImage.objects.filter(removed_at__lt=limit)
    if not writes:
        emptied = images.exclude(pk__in=MediaFile.objects.exclude(pk__in=going).values("image"))
        return {"media files": len(going), "media": emptied.count()}
    # The condition holds once more as the row is deleted: it may have been offered again meanwhile.
    removed = sum(MediaFile.objects.filter(over, pk=pk).delete()[0] for pk in going)
    emptied = images.exclude(pk__in=MediaFile.objects.values("image"))
    return {"media files": removed, "media": emptied.delete()[0]}
