"""What an uploaded picture becomes, and what is refused before it can do harm."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from hashlib import shake_256
from io import BytesIO

import pytest
from PIL import Image, ImageCms, ImageDraw

from signatures.campaigns.images import take_in
from signatures.media.encoding import MAX_BYTES, PIXEL, ImageRefused
from signatures.models import BannerImage
from tests.support.installation import ROOT

pytestmark = pytest.mark.usefixtures("fresh_serving")

WIDTH, HEIGHT = 480, 120


def draw(
    width: int = 960, height: int = 240, mode: str = "RGB", colour: tuple[int, ...] = (20, 90, 200)
) -> Image.Image:
    """A flat picture with a white bar exactly in its middle."""
    picture = Image.new(mode, (width, height), colour)
    ImageDraw.Draw(picture).rectangle((width // 2 - 8, 0, width // 2 + 7, height), fill="white")
    return picture


def draw_noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), shake_256(b"noise").digest(width * height * 3))


def save(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def get_pixel(stored: Image.Image, x: int, y: int) -> tuple[int, ...]:
    found = stored.convert("RGBA").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def open_stored(content: bytes | memoryview) -> Image.Image:
    opened = Image.open(BytesIO(bytes(content)))
    opened.load()
    return opened


def animate(kind: str, frames: int = 3) -> bytes:
    pictures = [draw(colour=(20 * number, 90, 200)) for number in range(frames)]
    return save(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=80)


@pytest.mark.parametrize(
    ("kind", "stored_as"), [("PNG", "PNG"), ("JPEG", "PNG"), ("GIF", "PNG"), ("WEBP", "PNG")]
)
def test_each_kind_becomes_a_picture_of_exactly_the_places_size(domain, kind, stored_as):
    image = take_in(BytesIO(save(draw(), kind)), domain=domain, width=WIDTH, height=HEIGHT)

    single, double = open_stored(image.bytes_1x), open_stored(image.bytes_2x)
    assert (single.format, single.size, double.format, double.size) == (
        stored_as, (480, 120), stored_as, (960, 240),
    )  # fmt: skip
    assert (image.media_type, image.note) == ("image/png", "")
    assert len(image.bytes_1x) <= MAX_BYTES >= len(image.bytes_2x)


def test_a_picture_of_other_proportions_is_cut_around_its_middle(domain):
    tall = Image.new("RGB", (960, 1000), "red")
    ImageDraw.Draw(tall).rectangle((0, 380, 960, 619), fill="blue")

    image = take_in(BytesIO(save(tall)), domain=domain, width=WIDTH, height=HEIGHT)

    single = open_stored(image.bytes_1x).convert("RGB")
    assert {single.getpixel((x, y)) for x in (0, 240, 479) for y in (1, 60, 118)} == {(0, 0, 255)}


def test_a_photograph_becomes_jpeg_within_the_limit(domain):
    photograph = draw_noise(120, 30).resize((960, 240), Image.Resampling.BICUBIC)

    image = take_in(BytesIO(save(photograph)), domain=domain, width=WIDTH, height=HEIGHT)

    assert image.media_type == "image/jpeg"
    assert open_stored(image.bytes_2x).size == (960, 240)
    assert len(image.bytes_2x) <= MAX_BYTES


def test_what_can_be_seen_through_stays_so_even_with_few_colours(domain):
    picture = draw_noise(240, 60).resize((960, 240)).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((960, 240)))

    image = take_in(BytesIO(save(picture)), domain=domain, width=WIDTH, height=HEIGHT)

    stored = open_stored(image.bytes_1x)
    assert image.media_type == "image/png"
    assert stored.convert("RGBA").getchannel("A").getextrema() != (255, 255)
    assert len(image.bytes_1x) <= MAX_BYTES


def test_a_small_picture_says_that_it_is_not_sharp_everywhere(domain):
    image = take_in(BytesIO(save(draw(600, 150))), domain=domain, width=WIDTH, height=HEIGHT)

    assert bytes(image.bytes_2x) == bytes(image.bytes_1x)
    assert image.note == (
        "It has 600 × 150 pixels; with at least 960 × 240 it would be sharp on all screens."
    )


def test_a_picture_too_rich_at_twice_the_size_falls_back_and_says_so(domain):
    image = take_in(BytesIO(save(draw_noise(1200, 600))), domain=domain, width=300, height=150)
    rich = take_in(BytesIO(save(draw_noise(1200, 600))), domain=domain, width=600, height=300)

    assert open_stored(image.bytes_2x).size == (600, 300)
    assert open_stored(rich.bytes_2x).size == (600, 300)
    assert rich.note == "At 2× it would be larger than 150 KB, so all screens get the 1× image."


def test_an_animation_becomes_its_first_frame_and_says_so(domain):
    for kind in ("GIF", "PNG", "WEBP"):
        image = take_in(BytesIO(animate(kind)), domain=domain, width=WIDTH, height=HEIGHT)

        stored = open_stored(image.bytes_1x)
        assert getattr(stored, "n_frames", 1) == 1, kind
        assert get_pixel(stored, 5, 5)[0] < 8, kind
        assert image.note == "Only the first frame of an animation is shown.", kind


def test_i7_nothing_attached_to_a_picture_survives_and_it_stands_upright(domain):
    exif = Image.Exif()
    exif[0x010E] = "taken at Dana's house"
    exif[0x0112] = 6  # lying on its side
    sideways = draw(240, 960)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photograph = save(sideways, "JPEG", exif=exif, icc_profile=profile, comment=b"taken at home")

    image = take_in(BytesIO(photograph), domain=domain, width=WIDTH, height=HEIGHT)

    for stored in (image.bytes_1x, image.bytes_2x):
        opened = open_stored(stored)
        assert dict(opened.getexif()) == {}
        assert not opened.info.keys() & {"icc_profile", "exif", "comment", "dpi", "xmp"}
        assert b"Dana" not in bytes(stored)
        assert b"home" not in bytes(stored)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "CMYK", "1", "I;16"])
def test_pictures_of_every_colour_mode_are_taken_in(domain, mode):
    picture = (
        Image.new("I;16", (960, 240), 0x8000)
        if mode == "I;16"
        else Image.new("RGB", (960, 240), "gray").convert(mode)
    )
    kind = "JPEG" if mode == "CMYK" else "PNG"

    image = take_in(BytesIO(save(picture, kind)), domain=domain, width=WIDTH, height=HEIGHT)

    middle = get_pixel(open_stored(image.bytes_1x), 240, 60)[:3]
    assert mode == "1" or all(118 <= value <= 138 for value in middle)


def test_the_same_file_is_stored_once_for_each_size_and_domain(domain, other_domain):
    content = save(draw())

    first = take_in(BytesIO(content), domain=domain, width=WIDTH, height=HEIGHT)
    again = take_in(BytesIO(content), domain=domain, width=WIDTH, height=HEIGHT)
    smaller = take_in(BytesIO(content), domain=domain, width=240, height=60)
    theirs = take_in(BytesIO(content), domain=other_domain, width=WIDTH, height=HEIGHT)

    assert first.pk == again.pk
    assert len({first.pk, smaller.pk, theirs.pk}) == 3
    assert BannerImage.objects.count() == 3


def make_png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def make_webp_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return (
        b"RIFF"
        + struct.pack("<I", 4_000)
        + b"WEBPVP8X"
        + struct.pack("<I", 10)
        + b"\2\0\0\0"
        + size
        + b"\0" * 3_970
    )


def make_long_gif(frames: int) -> bytes:
    """A GIF of very many frames, each a few bytes."""
    frame = (
        b"\x21\xf9\x04\x00\x01\x00\x00\x00"
        + b"\x2c"
        + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
        + b"\x02\x02\x44\x01\x00"
    )
    first = save(draw().quantize(8), "GIF")
    return first[:-1] + frame * frames + b"\x3b"


def make_text_bomb() -> bytes:
    """A PNG whose text chunks unfold to hundreds of megabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\0" * 60_000_000, 9))
    whole = save(draw())
    return whole[:33] + bomb * 8 + whole[33:]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "an empty file": (lambda: b"", "is empty"),
    "a header of 50,000 × 50,000": (lambda: make_png_header(50_000, 50_000), "too many pixels"),
    "a header just above the limit": (lambda: make_png_header(2_001, 2_000), "2,001 × 2,000 pixels"),
    "a webp header that claims much": (lambda: make_webp_header(16_000, 16_000), "16,000 × 16,000 pixels"),
    "a truncated png": (lambda: save(draw_noise(960, 240))[:9_000], "incomplete"),
    "a truncated jpeg": (lambda: save(draw_noise(960, 240), "JPEG")[:9_000], "incomplete"),
    "a truncated webp": (lambda: save(draw_noise(960, 240), "WEBP")[:900], "incomplete"),
    "an svg": (lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "an svg behind a byte order mark": (lambda: b"\xef\xbb\xbf<svg onload=alert(1)></svg>", "SVG"),
    "html": (lambda: b"<!doctype html><script>alert(1)</script>", "do not show this"),
    "html that begins like a gif": (lambda: b"GIF89a/*<script>alert(1)</script>*/=1;", "do not show this"),
    "postscript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 960 240\n", "do not show this"),
    "imagemagick's language": (lambda: b"push graphic-context\nfill 'url(https://x/|ls)'\n", "do not show this"),
    "a tiff": (lambda: save(draw(), "TIFF"), "do not show this"),
    "a bmp": (lambda: save(draw(), "BMP"), "do not show this"),
    "five megabytes": (lambda: save(draw()) + b"\0" * 5_000_000, "larger than 5 MB"),
    "a picture smaller than the place": (lambda: save(draw(479, 300)), "at least 480 × 120"),
    "text that unfolds": (make_text_bomb, "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_i7_pictures_that_cannot_be_used_are_refused_in_words(domain, name):
    make, words = REFUSED[name]

    with pytest.raises(ImageRefused, match=words):
        take_in(BytesIO(make()), domain=domain, width=WIDTH, height=HEIGHT)

    assert not BannerImage.objects.exists()


def test_i7_a_polyglot_leaves_only_its_pixels(domain):
    polyglot = save(draw(), "GIF") + b"<script>alert(1)</script>PK\x03\x04"

    image = take_in(BytesIO(polyglot), domain=domain, width=WIDTH, height=HEIGHT)

    assert b"script" not in bytes(image.bytes_1x) + bytes(image.bytes_2x)
    assert b"PK\x03\x04" not in bytes(image.bytes_1x) + bytes(image.bytes_2x)


def test_i7_noise_that_stays_too_large_is_refused_with_its_size(domain):
    with pytest.raises(ImageRefused, match=r"has \d{3} KB; 150 KB fit. Use one with fewer details"):
        take_in(
            BytesIO(save(draw_noise(1_400, 1_000), compress_level=1)),
            domain=domain,
            width=1_400,
            height=1_000,
        )


# In a process of its own, which the system ends where one picture takes more than three seconds.
CHILD = """
import json, resource, sys
sys.path.insert(0, ".")
import django
django.setup()
from signatures.campaigns.images import ImageRefused, _encode
from signatures.models import BannerImage
said = []
for path in sys.argv[1:]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 3
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
    try:
        image = BannerImage(width=480, height=120)
        _encode(image, open(path, "rb").read())
        said.append(image.media_type)
    except ImageRefused as refused:
        said.append(refused.message)
# Not ru_maxrss: a child begins with what its parent held when it was made.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([said, int(peak.split()[1])]))
"""


def test_i7_no_picture_takes_more_than_its_memory_and_time(tmp_path):
    vast = draw_noise(500, 250).resize((2_800, 1_400)).convert("RGBA")
    vast.putalpha(Image.linear_gradient("L").resize((2_800, 1_400)))
    heavy: list[tuple[bytes, str]] = [
        (make_png_header(50_000, 50_000), "too many pixels"),
        (save(vast, "WEBP", quality=60), "image/png"),
        (save(vast, "PNG", compress_level=1)[:5_000_000], "incomplete"),
        (make_long_gif(10_000), "image/png"),
        (make_text_bomb(), "damaged"),
        (make_webp_header(16_000, 16_000), "16,000 × 16,000"),
    ]
    paths = []
    for number, (content, _) in enumerate(heavy):
        paths.append(str(tmp_path / f"upload-{number}"))
        (tmp_path / f"upload-{number}").write_bytes(content)

    done = subprocess.run(
        [sys.executable, "-c", CHILD, *paths],
        cwd=ROOT, env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2_000:]
    said, peak_kb = json.loads(done.stdout.splitlines()[-1])
    missed = [
        pair for pair in zip([words for _, words in heavy], said, strict=True) if pair[0] not in pair[1]
    ]
    assert missed == []
    assert peak_kb <= 256 * 1024


def test_the_transparent_pixel_shows_nothing():
    opened = open_stored(PIXEL)

    assert (opened.format, opened.size, get_pixel(opened, 0, 0)[3]) == ("PNG", (1, 1), 0)
