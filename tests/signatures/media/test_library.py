"""Uploads are re-encoded within bounds, without what the file said beside its pixels; hostile files are refused."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from signatures.media.encoding import MAX_BYTES, ImageRefused
from signatures.media.library import crop_image, list_images, remove_image, upload_image
from signatures.media.pictures import Crop
from signatures.models import MediaFile, MediaImage
from tests.support.media import BY, add_medium, draw, make_image_file, save


def upload(domain, content: bytes, kind: str = "image") -> MediaImage:
    return upload_image(domain, BytesIO(content), kind=kind, name="One", actor=BY)


def open_files(file: MediaFile) -> tuple[Image.Image, Image.Image]:
    return Image.open(BytesIO(bytes(file.bytes_1x))), Image.open(BytesIO(bytes(file.bytes_2x)))


def make_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6  # turned by a quarter
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.5)  # where it was taken
    exif.get_ifd(0x8825)[29] = "2026:01:02"
    return exif


@pytest.mark.parametrize(
    ("kind", "size", "double"),
    [
        ("logo", (640, 240), (640, 240)),
        ("logo", (2_000, 400), (640, 128)),
        ("photo", (900, 600), (400, 400)),
        ("icon", (30, 20), (30, 20)),
        ("image", (1_500, 1_500), (800, 800)),
    ],
)
def test_each_kind_is_stored_at_its_size_and_at_half_of_it(domain, kind, size, double):
    file = upload(domain, save(draw(size)), kind).current

    assert file is not None
    single, twice = open_files(file)
    assert twice.size == double
    assert single.size == (file.width, file.height) == (double[0] // 2, double[1] // 2)
    assert max(len(file.bytes_1x), len(file.bytes_2x)) <= MAX_BYTES


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_i7_place_camera_and_comments_are_gone_and_the_picture_stands_upright(domain, format):
    content = save(draw((600, 400)), format, exif=make_exif())
    assert b"SecretCamera" in content

    image = upload(domain, content, "photo")

    file = image.current
    assert file is not None
    assert (image.source_width, image.source_height) == (400, 600)
    for stored in (image.source, file.bytes_1x, file.bytes_2x):
        opened = Image.open(BytesIO(bytes(stored)))
        assert not opened.getexif()
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(opened.info)
        assert b"SecretCamera" not in bytes(stored)
        assert b"2026:01:02" not in bytes(stored)


def test_a_transparent_logo_stays_transparent_when_it_is_cropped(domain):
    logo = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    logo.paste((43, 74, 203, 255), (0, 0, 100, 200))
    image = upload(domain, save(logo), "logo")

    assert crop_image(image, Crop(50, 0, 100, 100), actor=BY)

    image.refresh_from_db()
    assert image.current is not None
    cropped = open_files(image.current)[1].convert("RGBA")
    assert cropped.size == (100, 100)
    assert cropped.getpixel((10, 50)) == (43, 74, 203, 255)
    assert cropped.getpixel((90, 50))[3] == 0


def test_a_crop_is_another_file_and_the_former_one_stays(domain):
    image = add_medium(domain)
    former = image.current

    assert crop_image(image, Crop(0, 0, 320, 240), actor=BY)
    assert not crop_image(image, Crop(0, 0, 320, 240), actor=BY)

    files = MediaFile.objects.filter(image=image)
    assert [bool(file.replaced_at) for file in files] == [False, True]
    assert former is not None
    assert former.digest == files[1].digest != files[0].digest
    assert crop_image(image, Crop(0, 0, 640, 240), actor=BY)
    image.refresh_from_db()
    assert image.current == former
    assert files.count() == 2


@pytest.mark.parametrize(
    "crop", [Crop(0, 0, 641, 240), Crop(600, 0, 41, 8), Crop(0, 0, 7, 100), Crop(-1, 0, 9, 9)]
)
def test_a_crop_outside_the_image_is_refused(domain, crop):
    image = add_medium(domain)

    with pytest.raises(ImageRefused, match="must lie inside the image, 640 × 240 pixels"):
        crop_image(image, crop, actor=BY)

    assert MediaFile.objects.count() == 1


def test_the_same_file_is_one_image_of_a_kind_in_each_domain(domain, other_domain):
    first, again = add_medium(domain), add_medium(domain, "Another name")
    icon, theirs = add_medium(domain, kind="icon"), add_medium(other_domain)

    assert first == again
    assert len({first.pk, icon.pk, theirs.pk}) == 3
    assert list(list_images(domain)) == [icon, first]
    assert list(list_images(other_domain)) == [theirs]


def test_an_image_uploaded_again_after_it_was_removed_is_offered_again(domain):
    image = add_medium(domain)
    remove_image(image, actor=BY)

    assert add_medium(domain) == image
    assert list(list_images(domain)) == [image]


def make_png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


ANIMATION = BytesIO()
draw((40, 40)).save(ANIMATION, "GIF", save_all=True, append_images=[draw((40, 40), "#aa3355")], duration=100)

REFUSED = {
    "nothing": (b"", "is empty"),
    "a bomb of pixels": (
        make_png_of_size(50_000, 50_000),
        "has too many pixels; at most 4 million fit",
    ),
    "many pixels": (make_png_of_size(3_000, 2_000), "has 3,000 × 2,000 pixels; at most 4 million fit"),
    "cut off": (save(draw())[:300], "damaged or incomplete"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "Export it as PNG"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64, "Export it as JPEG"),
    "html": (b"<!doctype html><script>alert(1)</script>", "do not show this file type"),
    "tiff": (save(draw(), "TIFF"), "do not show this file type"),
    "an animation": (ANIMATION.getvalue(), "the first frame of an animation alone"),
    "a dot": (save(draw((4, 4))), "each side needs at least 8"),
    "a thread": (save(draw((20_000, 10))), "too long and narrow"),
    "large": (b"x" * 5_000_001, "larger than 5 MB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_i7_a_hostile_or_unfit_file_is_refused_with_what_to_do(domain, name):
    content, words = REFUSED[name]

    with pytest.raises(ImageRefused, match=words):
        upload(domain, content)

    assert not MediaImage.objects.exists()


def test_i7_a_picture_that_is_a_page_as_well_keeps_its_pixels_alone(domain):
    page = b"<script>alert(document.domain)</script>"
    content = save(draw(), "GIF", comment=page) + page

    image = upload(domain, content)

    file = image.current
    assert file is not None
    for stored in (image.source, file.bytes_1x, file.bytes_2x):
        assert b"script" not in bytes(stored)
    assert file.media_type == "image/png"


def test_i7_a_large_photograph_of_a_phone_is_taken_and_stands_upright(domain):
    content = save(draw((4_000, 3_000)), "JPEG", exif=make_exif(), quality=60)

    image = upload(domain, content, "photo")

    assert (image.source_width, image.source_height) == (1_200, 1_600)


@pytest.mark.parametrize(("size", "options"), [((4_000, 3_000), {"progressive": True}), ((8_000, 4_100), {})])
def test_i7_a_photograph_that_would_take_much_memory_is_refused(domain, size, options):
    with pytest.raises(ImageRefused, match="at most 4 million fit"):
        upload(domain, save(draw(size), "JPEG", quality=30, **options), "photo")


def test_a_wrong_extension_says_nothing(domain, client):
    image = upload_image(
        domain,
        make_image_file(name="logo.svg"),
        kind="logo",
        name="Logo",
        actor=BY,
    )

    assert image.current is not None
    assert image.current.media_type == "image/png"
