"""Banner images: re-encodes uploads as PNG or JPEG of the banner slot's size, or refuses them.

Of the uploaded file, only its digest is kept.
"""

from __future__ import annotations

from hashlib import sha256
from typing import BinaryIO

from PIL import Image, ImageOps

from portal.models import Domain
from signatures.media.encoding import (
    MAX_BYTES,
    ImageRefused,
    Upload,
    decode_picture,
    read_upload,
    write_pair,
)
from signatures.models import BannerImage


def cut_picture(upload: Upload | BinaryIO, *, domain: Domain, width: int, height: int) -> BannerImage:
    """Return the image, cropped from its centre to width × height, at 1× and 2×; nothing is stored.

    Returns the stored row of the same file and size, or a new one. Of an animation, the first frame is used,
    as Outlook does. The row's `note` describes limitations of the result. Raises: ImageRefused.
    """
    content = read_upload(upload)
    digest = sha256(content).hexdigest()
    kept = BannerImage.objects.filter(domain=domain, sha256=digest, width=width, height=height).first()
    if kept is not None:
        return kept
    image = BannerImage(domain=domain, sha256=digest, width=width, height=height)
    _encode(image, content)
    return image


def take_in(
    upload: Upload | BinaryIO | BannerImage, *, domain: Domain, width: int, height: int
) -> BannerImage:
    """Return the stored image of an upload; the same file and size is stored once.

    upload: a file, or the result of `cut_picture`. Raises: ImageRefused, storing nothing.
    """
    image = upload
    if not isinstance(image, BannerImage):
        image = cut_picture(image, domain=domain, width=width, height=height)
    if (image.domain_id, image.width, image.height) != (domain.pk, width, height):
        raise ImageRefused("The size of the banner slot has changed. Select the image again.")
    if image.pk is None:
        image, _ = BannerImage.objects.get_or_create(
            **{name: getattr(image, name) for name in ("domain", "sha256", "width", "height")},
            defaults={name: getattr(image, name) for name in ("media_type", "bytes_1x", "bytes_2x", "note")},
        )
    return image


def _encode(image: BannerImage, content: bytes) -> None:
    """Fill the row with the images to serve for an uploaded file. Raises: ImageRefused."""
    width, height = image.width, image.height
    largest, notes = _decode(content, width, height)
    double = largest if largest.width > width else None
    single = largest.resize((width, height), Image.Resampling.LANCZOS)
    image.media_type, image.bytes_1x, image.bytes_2x = write_pair(single, double)
    if double is not None and image.bytes_2x == image.bytes_1x:
        notes.append(
            f"At 2× it would be larger than {MAX_BYTES // 1_000} KB, so all screens get the 1× image."
        )
    image.note = " ".join(notes)


def _decode(content: bytes, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """Return the image cropped to 2× or, if too small, 1×; with notes."""
    notes = []

    def fit(opened: Image.Image) -> Image.Image:
        size = _choose_size(opened.size, width, height)
        if size == (width, height):
            notes.append(
                f"It has {opened.width} × {opened.height} pixels; with at least {2 * width} × {2 * height} "
                "it would be sharp on all screens."
            )
        return ImageOps.fit(opened, size, Image.Resampling.LANCZOS)

    picture, is_animated = decode_picture(content, fit)
    if is_animated:
        notes.insert(0, "Only the first frame of an animation is shown.")
    return picture, notes


def _choose_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the size at 2×, or at 1× where there is not enough. Raises: ImageRefused below that."""
    if size[0] < width or size[1] < height:
        raise ImageRefused(
            f"The image has {size[0]} × {size[1]} pixels; it must have at least "
            f"{width} × {height}, and {2 * width} × {2 * height} to be sharp on all screens."
        )
    is_enough = size[0] >= 2 * width and size[1] >= 2 * height
    return (2 * width, 2 * height) if is_enough else (width, height)
