"""Banner images: re-encodes uploads as PNG or JPEG of the banner slot's size, or refuses them.

Of the uploaded file, only its digest is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO, Protocol

from PIL import Image, ImageCms, ImageOps

from portal.models import Domain
from signatures.models import BannerImage

MAX_UPLOAD_BYTES = 5_000_000
MAX_PIXELS = 4_000_000
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


def cut_picture(upload: Upload | BinaryIO, *, domain: Domain, width: int, height: int) -> BannerImage:
    """Return the image, cropped from its centre to width × height, at 1× and 2×; nothing is stored.

    Returns the stored row of the same file and size, or a new one. Of an animation, the first frame is used,
    as Outlook does. The row's `note` describes limitations of the result. Raises: ImageRefused.
    """
    content = upload.read(MAX_UPLOAD_BYTES + 1)
    if not content:
        raise ImageRefused(f"The file is empty. {_WORDS}")
    if len(content) > MAX_UPLOAD_BYTES:
        raise ImageRefused(f"The file is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB. Make it smaller.")
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
    image.media_type, image.bytes_1x, image.bytes_2x = _write_pair(single, double)
    if double is not None and image.bytes_2x == image.bytes_1x:
        notes.append(
            f"At 2× it would be larger than {MAX_BYTES // 1_000} KB, so all screens get the 1× image."
        )
    image.note = " ".join(notes)


def _decode(content: bytes, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """Return the image upright, in sRGB, without metadata, cropped to 2× or, if too small, 1×; with notes."""
    _refuse_large(_read_webp_size(content))
    notes = []
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            _refuse_large(opened.size)
            if getattr(opened, "is_animated", False) and opened.format != "MPO":
                notes.append("Only the first frame of an animation is shown.")
            opened.seek(0)
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            size = _choose_size(opened.size, width, height)
            if size == (width, height):
                notes.append(
                    f"It has {opened.width} × {opened.height} pixels; with at least {2 * width} × {2 * height} "
                    "it would be sharp on all screens."
                )
            # Cut before anything else: what follows then works on a small picture, whatever was uploaded.
            picture = _flatten(ImageOps.fit(_widen(opened), size, Image.Resampling.LANCZOS))
    except ImageRefused:
        raise
    except Image.DecompressionBombError as error:
        raise ImageRefused(_say_too_large()) from error
    except Image.UnidentifiedImageError as error:
        raise ImageRefused(_say_unknown(content)) from error
    # A damaged file makes the decoders fail in a dozen ways that they do not list.
    except Exception as error:
        raise ImageRefused(f"The image is damaged or incomplete. Export it again. {_WORDS}") from error
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


def _write_pair(single: Image.Image, double: Image.Image | None) -> tuple[str, bytes, bytes]:
    """Return the type and the files at 1× and 2×, the same where 2× is None or cannot be small enough."""
    largest = single if double is None else double
    media_type = PNG if largest.mode == "RGBA" or len(_write_png(largest)) <= LOSSLESS_BYTES else JPEG
    ladder = _ladder_of_pngs if media_type == PNG else _ladder_of_jpegs
    smallest = b""
    for smallest in ladder(single):
        if len(smallest) <= MAX_BYTES:
            break
    else:
        raise ImageRefused(
            f"Compressed, the image still has {len(smallest) // 1_000} KB; {MAX_BYTES // 1_000} KB fit. "
            "Use one with fewer details" + ("." if media_type == JPEG else ", or one without transparency.")
        )
    fitting = (file for file in ladder(double) if len(file) <= MAX_BYTES) if double is not None else iter(())
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
