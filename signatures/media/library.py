"""Library: uploads, crops, names, removes and finds the images of a domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from integrations.ledger.record import record_act
from portal.models import Domain
from signatures.models import MediaFile, MediaImage, MediaLibrary, Sender

from .addresses import get_key, read_path, write_path
from .encoding import Upload, read_upload
from .pictures import Crop, fill_source, get_whole, make_file

_BYTES = ("source", "current__bytes_1x", "current__bytes_2x")


def list_images(
    domain: Domain, *, kind: str = "", words: str = "", is_removed: bool = False
) -> QuerySet[MediaImage]:
    """Return the domain's images without their bytes, the newest first, but for photos of self-service.

    words: part of a name.
    """
    rows = MediaImage.objects.filter(domain=domain, sender=None, removed_at__isnull=not is_removed)
    if kind:
        rows = rows.filter(kind=kind)
    if words:
        rows = rows.filter(name__icontains=words)
    return rows.select_related("current").defer(*_BYTES)


@dataclass(frozen=True, slots=True)
class Offer:
    """An image as it can be chosen. path: of its address, for the portal's own pages."""

    image: MediaImage
    path: str

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}{self.path}"


def list_offers(images: Iterable[MediaImage], domain: Domain) -> list[Offer]:
    """Return each of the domain's images with its address."""
    offered = [image for image in images if image.current is not None]
    key = get_key(domain) if offered else ""
    return [Offer(image, write_path(key, image.current)) for image in offered if image.current]


def get_offer(image: MediaImage) -> Offer:
    """Return one image with its address."""
    return list_offers([image], image.domain)[0]


@dataclass(frozen=True, slots=True)
class ServedFile:
    """What is known of the file at one address. transparent_percent, ink_luma: as measured by `measure_ink`."""

    name: str
    bytes: int
    transparent_percent: int
    ink_luma: int


def find_files(domain: Domain, urls: Iterable[str]) -> dict[str, ServedFile]:
    """Return the files of the domain's own images at these addresses; one query at most, which reads no image."""
    refs = {url: read_path(url.removeprefix(settings.PUBLIC_URL)) for url in urls}
    asked = {(ref.key, ref.digest) for ref in refs.values() if ref is not None}
    if not asked:
        return {}
    rows = (
        MediaFile.objects.filter(image__domain=domain, digest__in={digest for _, digest in asked})
        .select_related("image__domain__media")
        .defer("bytes_1x", "bytes_2x", "image__source")
        .annotate(size_1x=Length("bytes_1x"), size_2x=Length("bytes_2x"))
    )
    files = {(row.image.domain.media.key, row.digest): row for row in rows}
    found = {}
    for url, ref in refs.items():
        file = files.get((ref.key, ref.digest)) if ref is not None else None
        if ref is not None and file is not None:
            size = file.size_2x if ref.is_double else file.size_1x
            found[url] = ServedFile(file.image.name, size, file.transparent_percent, file.ink_luma)
    return found


def upload_image(
    domain: Domain,
    upload: Upload | BinaryIO,
    *,
    kind: str,
    name: str,
    alt: str = "",
    actor: str,
    sender: Sender | None = None,
) -> MediaImage:
    """Store an upload and return its row; one that was uploaded before is offered again, as it was.

    sender: whose photo it is, where they uploaded it themselves. Raises: ImageRefused, storing nothing.
    """
    content = read_upload(upload)
    rows = MediaImage.objects.filter(
        domain=domain, kind=kind, sha256=sha256(content).hexdigest(), sender=sender
    )
    if not rows.exists():
        image = MediaImage(
            domain=domain,
            sender=sender,
            kind=kind,
            sha256=sha256(content).hexdigest(),
            name=name,
            alt=alt,
            created_by_label=actor,
        )
        fill_source(image, content)
        file = make_file(image, get_whole(image))
    with transaction.atomic():
        MediaLibrary.objects.for_domain(domain, create=True)
        MediaLibrary.objects.select_for_update().get(domain=domain)  # one upload of a domain at a time
        present = rows.defer("source").first()
        if present is not None:
            restore_image(present, actor=actor)
            return present
        image.save()
        _offer(image, file)
        _record("medium uploaded", image, actor)
    return image


@transaction.atomic
def crop_image(image: MediaImage, crop: Crop, *, actor: str) -> bool:
    """Offer another part of the image and return whether that changed anything; what uses the former one keeps it.

    Raises: ImageRefused
    """
    row = MediaImage.objects.select_for_update(of=("self",)).select_related("domain").get(pk=image.pk)
    file = make_file(row, crop)
    before = row.current_id or 0
    _offer(row, file)
    if row.current_id == before:
        return False
    MediaFile.objects.filter(pk=before).update(replaced_at=timezone.now())
    _record("medium cropped", row, actor)
    return True


def _offer(image: MediaImage, file: MediaFile) -> None:
    known = MediaFile.objects.filter(image=image, digest=file.digest).defer("bytes_1x", "bytes_2x").first()
    if known is None:
        file.save()
    elif known.replaced_at is not None:
        MediaFile.objects.filter(pk=known.pk).update(replaced_at=None)
    image.current = known or file
    image.save(update_fields=["current"])


@transaction.atomic
def name_image(image: MediaImage, *, name: str, alt: str, actor: str) -> bool:
    """Save name and alt text and return whether they changed; templates that hold the alt text keep theirs."""
    if (image.name, image.alt) == (name, alt):
        return False
    image.name, image.alt = name, alt
    image.save(update_fields=["name", "alt"])
    _record("medium renamed", image, actor)
    return True


@transaction.atomic
def remove_image(image: MediaImage, *, actor: str) -> None:
    """Offer the image no more; its address answers for as long as a mailbox may show it."""
    if MediaImage.objects.filter(pk=image.pk, removed_at=None).update(removed_at=timezone.now()):
        _record("medium removed", image, actor)
    image.refresh_from_db(fields=["removed_at"])


@transaction.atomic
def restore_image(image: MediaImage, *, actor: str) -> None:
    """Offer a removed image again."""
    if MediaImage.objects.filter(pk=image.pk).exclude(removed_at=None).update(removed_at=None):
        _record("medium restored", image, actor)
    image.refresh_from_db(fields=["removed_at"])


def _record(act: str, image: MediaImage, actor: str) -> None:
    record_act(
        act,
        domain=image.domain,
        actor_label=actor,
        object_ref=f"medium {image.pk}",
        detail=f"{image.name} ({image.get_kind_display().lower()})",
    )
