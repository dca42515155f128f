"""Pictures: makes an upload a source without metadata, and a crop of a source the files that are served."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO

from PIL import Image

from signatures.models import MediaFile, MediaImage, MediaKind

from .encoding import MAX_BYTES, ImageRefused, decode_picture, measure_ink, write_pair

SOURCE_SIDE = 1_600
SOURCE_BYTES = 1_000_000
SOURCE_LOSSLESS_BYTES = 500_000
LEAST_SIDE = 8
# The most that is shown of each kind at 1×, in pixels.
BOUNDS: dict[str, tuple[int, int]] = {
    MediaKind.LOGO: (320, 160),
    MediaKind.PHOTO: (200, 200),
    MediaKind.ICON: (48, 48),
    MediaKind.IMAGE: (600, 400),
}


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a source, in its pixels."""

    x: int
    y: int
    width: int
    height: int


def fill_source(image: MediaImage, content: bytes) -> None:
    """Fill the row with the source of an uploaded file. Raises: ImageRefused."""
    picture, is_animated = decode_picture(content, _shrink_to_source)
    if is_animated:
        raise ImageRefused("Outlook shows the first frame of an animation alone. Upload that frame as PNG.")
    image.source_type, image.source, _ = write_pair(
        picture, None, most_bytes=SOURCE_BYTES, lossless_bytes=SOURCE_LOSSLESS_BYTES
    )
    image.source_width, image.source_height = picture.size


def _shrink_to_source(opened: Image.Image) -> Image.Image:
    if min(opened.size) < LEAST_SIDE:
        raise ImageRefused(
            f"The image has {opened.width} × {opened.height} pixels; each side needs at least {LEAST_SIDE}."
        )
    size = _fit(opened.size, (SOURCE_SIDE, SOURCE_SIDE))
    if min(size) < LEAST_SIDE:
        raise ImageRefused("The image is too long and narrow. Crop it first.")
    return opened.resize(size, Image.Resampling.LANCZOS) if size != opened.size else opened


def get_whole(image: MediaImage) -> Crop:
    """Return the crop that shows all of the source; of a photo, the square in its middle."""
    width, height = image.source_width, image.source_height
    if image.kind != MediaKind.PHOTO:
        return Crop(0, 0, width, height)
    side = min(width, height)
    return Crop((width - side) // 2, (height - side) // 2, side, side)


def make_file(image: MediaImage, crop: Crop) -> MediaFile:
    """Return the file of a crop, at 1× and 2×, not stored; it is never larger than the source. Raises: ImageRefused."""
    _check_crop(image, crop)
    with Image.open(BytesIO(bytes(image.source)), formats=("PNG", "JPEG")) as source:
        mode = "RGBA" if source.mode in ("RGBA", "P", "PA") and _has_transparency(source) else "RGB"
        box = (crop.x, crop.y, crop.x + crop.width, crop.y + crop.height)
        part = source.convert(mode).crop(box)
    most = BOUNDS[image.kind]
    double = part.resize(_fit(part.size, (2 * most[0], 2 * most[1])), Image.Resampling.LANCZOS)
    double.info = {}
    size = (max(double.width // 2, 1), max(double.height // 2, 1))
    single = double.resize(size, Image.Resampling.LANCZOS)
    media_type, bytes_1x, bytes_2x = write_pair(single, double)
    transparent_percent, ink_luma = measure_ink(single)
    return MediaFile(
        image=image,
        digest=sha256(len(bytes_1x).to_bytes(8, "big") + bytes_1x + bytes_2x).hexdigest()[:32],
        media_type=media_type,
        width=size[0],
        height=size[1],
        bytes_1x=bytes_1x,
        bytes_2x=bytes_2x,
        crop=asdict(crop),
        transparent_percent=transparent_percent,
        ink_luma=ink_luma,
        note=_note(bytes_1x == bytes_2x, size),
    )


def _note(is_single: bool, size: tuple[int, int]) -> str:
    if is_single:
        return f"At 2× it would be larger than {MAX_BYTES // 1_000} KB, so all screens get the 1× image."
    return f"Sharp on all screens up to {size[0]} pixels wide."


def _has_transparency(source: Image.Image) -> bool:
    return source.mode in ("RGBA", "PA") or "transparency" in source.info


def _check_crop(image: MediaImage, crop: Crop) -> None:
    is_inside = (
        crop.x >= 0
        and crop.y >= 0
        and crop.x + crop.width <= image.source_width
        and crop.y + crop.height <= image.source_height
    )
    if not is_inside or min(crop.width, crop.height) < LEAST_SIDE:
        raise ImageRefused(
            f"The crop must lie inside the image, {image.source_width} × {image.source_height} pixels, "
            f"and be at least {LEAST_SIDE} pixels wide and high."
        )


def _fit(size: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """Return the size shrunk in proportion until it fits; one that fits already stays."""
    scale = min(1, most[0] / size[0], most[1] / size[1])
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
