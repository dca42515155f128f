"""Encoding: reads untrusted image files within bounds, and writes them anew as PNG or JPEG, pixels alone.

Names, comments, places and profiles of the uploaded file do not come along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import BinaryIO, Protocol

from PIL import Image, ImageCms, ImageOps, ImageStat

MAX_UPLOAD_BYTES = 5_000_000
MAX_PIXELS = 4_000_000
MAX_PHOTOGRAPH_PIXELS = 32_000_000  # of a baseline JPEG, as phones and cameras write it
MAX_BYTES = 150_000  # of what is served; Outlook and Gmail show more, readers on the road do not wait for it
LOSSLESS_BYTES = 60_000  # up to here a PNG is as good as it gets; above, a photograph is smaller as JPEG
PNG, JPEG = "image/png", "image/jpeg"
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
_QUALITIES = (88, 80, 72, 64, 56, 48)
_COLOURS = (256, 128, 64, 32)
_WORDS = "Use a PNG, JPEG, GIF or WebP image."

# A pixel that shows nothing, where no banner is due.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da6360606060"
    "0000000500017aa857500000000049454e44ae426082"
)


class ImageRefused(Exception):
    """An image is not valid; the message says why and what to do, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Upload(Protocol):
    """An uploaded file of a form, or any open file."""

    def read(self, size: int = ..., /) -> bytes: ...


def read_upload(upload: Upload | BinaryIO) -> bytes:
    """Return the bytes of an upload. Raises: ImageRefused, for none and for too many."""
    content = upload.read(MAX_UPLOAD_BYTES + 1)
    if not content:
        raise ImageRefused(f"The file is empty. {_WORDS}")
    if len(content) > MAX_UPLOAD_BYTES:
        raise ImageRefused(f"The file is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB. Make it smaller.")
    return content


def decode_picture(content: bytes, cut: Callable[[Image.Image], Image.Image]) -> tuple[Image.Image, bool]:
    """Return what `cut` makes of the upright image, in sRGB and without metadata, and whether it is animated.

    cut: takes the image in a mode that can be resampled; of an animation, its first frame. It is called before
    colours are converted, so that what follows works on a small picture, whatever was uploaded.
    Raises: ImageRefused; what `cut` raises of it passes.
    """
    _refuse_large(_read_webp_size(content))
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            _reduce_photograph(opened)
            _refuse_large(opened.size)
            is_animated = bool(getattr(opened, "is_animated", False)) and opened.format != "MPO"
            opened.seek(0)
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            picture = _flatten(cut(_widen(opened)))
    except ImageRefused:
        raise
    except Image.DecompressionBombError as error:
        raise ImageRefused(_say_too_large()) from error
    except Image.UnidentifiedImageError as error:
        raise ImageRefused(_say_unknown(content)) from error
    # A damaged file makes the decoders fail in a dozen ways that they do not list.
    except Exception as error:
        raise ImageRefused(f"The image is damaged or incomplete. Export it again. {_WORDS}") from error
    return picture, is_animated


def _reduce_photograph(opened: Image.Image) -> None:
    """Let a baseline JPEG be decoded at a half, quarter or eighth, which takes no more memory than a small one.

    A progressive one is held in memory whole, and is decoded as often as it has scans.
    """
    width, height = opened.size
    is_baseline = opened.format in ("JPEG", "MPO") and not opened.info.get("progressive")
    if not is_baseline or width * height > MAX_PHOTOGRAPH_PIXELS:
        return
    scale = next(scale for scale in (1, 2, 4, 8) if width * height <= MAX_PIXELS * scale**2)
    if scale > 1:
        opened.draft(None, (width // scale, height // scale))  # None keeps the mode


def _refuse_large(size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise ImageRefused(_say_too_large(size))


def _say_too_large(size: tuple[int, int] | None = None) -> str:
    found = f"has {size[0]:,} × {size[1]:,} pixels" if size else "has too many pixels"
    return f"The image {found}; at most {MAX_PIXELS // 1_000_000} million fit. Make it smaller."


def _say_unknown(content: bytes) -> str:
    head = content[:1_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and b"<svg" in content[:4_000].lower():
        return "Mail programs do not show SVG. Export it as PNG."
    if content[4:8] == b"ftyp":
        return "Mail programs do not show HEIC and AVIF. Export it as JPEG."
    return f"Mail programs do not show this file type. {_WORDS}"


def _read_webp_size(content: bytes) -> tuple[int, int] | None:
    """Return the size in a WebP file's header, or None: its decoder allocates the memory on opening.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    kind = content[12:16]
    if kind == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(
        content[28:30], "little"
    ) & 0x3FFF


def _widen(picture: Image.Image) -> Image.Image:
    """Return the image in a mode that can be resampled; palettes and single bits cannot."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, of which mail clients show eight
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in picture.info or picture.mode == "LA":
        return picture.convert("RGBA")
    return picture.convert({"P": "RGB", "1": "L"}[picture.mode]) if picture.mode in ("P", "1") else picture


def _flatten(picture: Image.Image) -> Image.Image:
    """Return only the pixels, as RGB, or as RGBA with transparency."""
    profile = picture.info.get("icc_profile")
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    coloured = _to_srgb(picture if alpha is None else picture.convert("RGB"), profile)
    if alpha is not None and alpha.getextrema() != (255, 255):
        coloured.putalpha(alpha)
    coloured.info = {}  # the encoders would write profile, comment and the like back from here
    return coloured


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if profile and picture.mode in ("RGB", "CMYK", "L"):
        try:
            converted = ImageCms.profileToProfile(
                picture, BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a profile that says nothing is as good as none
        if converted is not None:
            return converted
    return picture.convert("RGB")


def measure_ink(picture: Image.Image) -> tuple[int, int]:
    """Return how many percent of the pixels are transparent, and the mean luma, 0 to 255, of all others.

    A picture without transparency is not looked at: it has 0 percent, and counts as white.
    """
    if picture.mode != "RGBA":
        return 0, 255
    opaque = picture.getchannel("A").point(lambda alpha: 255 if alpha >= 128 else 0)
    covered = ImageStat.Stat(opaque).mean[0] / 255
    luma = ImageStat.Stat(picture.convert("L"), mask=opaque).mean[0] if covered else 255
    return round(100 * (1 - covered)), round(luma)


def write_pair(
    single: Image.Image,
    double: Image.Image | None,
    *,
    most_bytes: int = MAX_BYTES,
    lossless_bytes: int = LOSSLESS_BYTES,
) -> tuple[str, bytes, bytes]:
    """Return the type and the files at 1× and 2×, the same where 2× is None or cannot be small enough."""
    largest = single if double is None else double
    media_type = PNG if largest.mode == "RGBA" or len(_write_png(largest)) <= lossless_bytes else JPEG
    ladder = _ladder_of_pngs if media_type == PNG else _ladder_of_jpegs
    smallest = b""
    for smallest in ladder(single):
        if len(smallest) <= most_bytes:
            break
    else:
        raise ImageRefused(
            f"Compressed, the image still has {len(smallest) // 1_000} KB; {most_bytes // 1_000} KB fit. "
            "Use one with fewer details" + ("." if media_type == JPEG else ", or one without transparency.")
        )
    fitting = (file for file in ladder(double) if len(file) <= most_bytes) if double is not None else iter(())
    return media_type, smallest, next(fitting, smallest)


def _ladder_of_jpegs(picture: Image.Image) -> Iterator[bytes]:
    for quality in _QUALITIES:
        file = BytesIO()
        picture.save(file, "JPEG", quality=quality, optimize=True)
        yield file.getvalue()


def _ladder_of_pngs(picture: Image.Image) -> Iterator[bytes]:
    yield _write_png(picture)
    for colours in _COLOURS:
        yield _write_png(picture.quantize(colours, Image.Quantize.FASTOCTREE))


def _write_png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
