"""Pictures of banners: whatever is uploaded becomes a plain PNG or JPEG of the place's size, or is refused.

Nothing of the uploaded file is kept but its digest: what mail clients get was written here, pixel by pixel.
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
_WORDS = "Use a PNG, JPEG, GIF or WebP picture."

# A pixel that shows nothing, where no banner is due.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da6360606060"
    "0000000500017aa857500000000049454e44ae426082"
)


class ImageRefused(Exception):
    """A picture cannot be used; the message says why, and what would do, to a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Upload(Protocol):
    """What a form hands over, or any open file."""

    def read(self, size: int = ..., /) -> bytes: ...


def cut_picture(upload: Upload | BinaryIO, *, domain: Domain, width: int, height: int) -> BannerImage:
    """Return the picture, cut to exactly width × height around its middle, at 1× and 2×; nothing is stored.

    It is the stored row of the same file and size, or a new one. An animation becomes its first frame: the
    one that Outlook shows. `note` of the row says what a person may want to know about the result.
    Raises: ImageRefused.
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
    """Return the stored picture of an upload; the same file for the same size is stored once.

    upload: a file, or what `cut_picture` made of one. Raises: ImageRefused, and nothing was stored.
    """
    image = upload
    if not isinstance(image, BannerImage):
        image = cut_picture(image, domain=domain, width=width, height=height)
    if (image.domain_id, image.width, image.height) != (domain.pk, width, height):
        raise ImageRefused("The size of the banner slot has changed meanwhile. Choose the picture again.")
    if image.pk is None:
        image, _ = BannerImage.objects.get_or_create(
            **{name: getattr(image, name) for name in ("domain", "sha256", "width", "height")},
            defaults={name: getattr(image, name) for name in ("media_type", "bytes_1x", "bytes_2x", "note")},
        )
    return image


def _encode(image: BannerImage, content: bytes) -> None:
    """The row holds what is served for an uploaded file. Raises: ImageRefused."""
    width, height = image.width, image.height
    largest, notes = _decode(content, width, height)
    double = largest if largest.width > width else None
    single = largest.resize((width, height), Image.Resampling.LANCZOS)
    image.media_type, image.bytes_1x, image.bytes_2x = _write_pair(single, double)
    if double is not None and image.bytes_2x == image.bytes_1x:
        notes.append(
            f"Twice as sharp it would be more than {MAX_BYTES // 1_000} KB, so every screen gets the same."
        )
    image.note = " ".join(notes)


def _decode(content: bytes, width: int, height: int) -> tuple[Image.Image, list[str]]:
    """Return the upright picture in sRGB and nothing else, cut to 2×, or to 1× where that is all; and notes on it."""
    _refuse_large(_read_webp_size(content))
    notes = []
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as opened:
            _refuse_large(opened.size)
            if getattr(opened, "is_animated", False) and opened.format != "MPO":
                notes.append("An animation shows its first frame only.")
            opened.seek(0)
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            size = _choose_size(opened.size, width, height)
            if size == (width, height):
                notes.append(
                    f"It has {opened.width} × {opened.height} pixels; with at least {2 * width} × {2 * height} "
                    "it would be sharp on every screen."
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
        raise ImageRefused(f"The picture is damaged or cut short. Save it again. {_WORDS}") from error
    return picture, notes


def _choose_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the size at 2×, or at 1× where there is not enough. Raises: ImageRefused below that."""
    if size[0] < width or size[1] < height:
        raise ImageRefused(
            f"The picture has {size[0]} × {size[1]} pixels; it must have at least "
            f"{width} × {height}, and {2 * width} × {2 * height} to be sharp on every screen."
        )
    is_enough = size[0] >= 2 * width and size[1] >= 2 * height
    return (2 * width, 2 * height) if is_enough else (width, height)


def _refuse_large(size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise ImageRefused(_say_too_large(size))


def _say_too_large(size: tuple[int, int] | None = None) -> str:
    found = f"has {size[0]:,} × {size[1]:,} pixels" if size else "has far too many pixels"
    return f"The picture {found}; at most {MAX_PIXELS // 1_000_000} million fit. Make it smaller."


def _say_unknown(content: bytes) -> str:
    head = content[:1_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<") and b"<svg" in content[:4_000].lower():
        return "Mail clients do not show SVG drawings. Save it as PNG."
    return f"This is not a picture that mail clients show. {_WORDS}"


def _read_webp_size(content: bytes) -> tuple[int, int] | None:
    """Return the size in a WebP file's header, or None: its decoder takes the memory as it opens the file.

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
    """Return the picture in a mode whose pixels can be mixed; palettes and single bits cannot."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, of which mail clients show eight
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in picture.info or picture.mode == "LA":
        return picture.convert("RGBA")
    return picture.convert({"P": "RGB", "1": "L"}[picture.mode]) if picture.mode in ("P", "1") else picture


def _flatten(picture: Image.Image) -> Image.Image:
    """Return the pixels alone, as RGB, or as RGBA where some can be seen through."""
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
            f"Even at its plainest the picture is {len(smallest) // 1_000} KB; {MAX_BYTES // 1_000} KB fit. "
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
