"""Media: image files as people upload them, and images stored through the portal's own functions."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.base import ContentFile
from PIL import Image, ImageDraw

from portal.models import Domain
from signatures.media.library import upload_image
from signatures.models import MediaImage

BY = "dana@acme.example"


def draw(size: tuple[int, int] = (640, 240), colour: str = "#2b4acb") -> Image.Image:
    """Return a picture whose left half has the colour; the rest is white."""
    picture = Image.new("RGB", size, "#ffffff")
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill=colour)
    return picture


def save(picture: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def make_image_file(
    colour: str = "#2b4acb", *, size: tuple[int, int] = (640, 240), name: str = "acme_logo.png"
) -> ContentFile:
    return ContentFile(save(draw(size, colour)), name)


def add_medium(domain: Domain, name: str = "Logo", *, kind: str = "logo", **given: Any) -> MediaImage:
    return upload_image(domain, make_image_file(**given), kind=kind, name=name, actor=BY)
