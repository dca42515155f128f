"""Photos: what a sender uploads and crops for their own signature; nobody else's photo is touched by it."""

from __future__ import annotations

from datetime import timedelta
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from signatures.media.addresses import get_key, has_usable_urls, write_stem
from signatures.media.encoding import Upload
from signatures.media.library import crop_image, get_offer, remove_image, upload_image
from signatures.media.pictures import Crop
from signatures.models import ChangeState, MediaImage, MediaKind, Sender, SenderChange

from .changes import PHOTO, ChangeRefused, save_changes

MOST_IN_A_DAY = 20  # photos that one sender uploads


def upload_photo(sender: Sender, upload: Upload | BinaryIO, *, actor: str) -> MediaImage:
    """Store a photo that the sender may crop and use. Raises: ImageRefused, ChangeRefused."""
    if not has_usable_urls():
        raise ChangeRefused(
            "This portal has no https address yet, so mail programs could not load your photo."
        )
    since = timezone.now() - timedelta(days=1)
    if sender.photos.filter(created_at__gte=since).count() >= MOST_IN_A_DAY:
        raise ChangeRefused("You uploaded many photos today. Nothing was stored; try again tomorrow.")
    name = f"Photo of {sender}"[:120]
    return upload_image(
        sender.domain,
        upload,
        kind=MediaKind.PHOTO,
        name=name,
        alt=str(sender)[:255],
        actor=actor,
        sender=sender,
    )


@transaction.atomic
def use_photo(sender: Sender, image: MediaImage, crop: Crop, *, actor: str) -> list[SenderChange]:
    """Crop a photo that the sender uploaded, and make it theirs.

    Raises: ImageRefused, ChangeRefused, OwnValueError; nothing is stored then.
    """
    crop_image(image, crop, actor=actor)
    image.refresh_from_db(fields=["current"])
    changed = save_changes(sender, {PHOTO: get_offer(image).url}, actor=actor)
    remove_unused(sender, actor=actor)
    return changed


def remove_unused(sender: Sender, *, actor: str) -> None:
    """Remove the sender's photos that are neither their value nor wait to be; mailboxes keep showing them."""
    waiting = sender.changes.filter(field=PHOTO, state=ChangeState.WAITING).values_list("value", flat=True)
    wanted = [sender.own_values.get(PHOTO, ""), *waiting]
    for image in sender.photos.filter(removed_at=None).defer("source").select_related("domain"):
        key = get_key(image.domain)
        stems = [write_stem(key, digest) for digest in image.files.values_list("digest", flat=True)]
        if not any(stem in url for stem in stems for url in wanted):
            remove_image(image, actor=actor)
