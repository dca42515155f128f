"""Image checks: images of Media that are heavy, or that vanish in dark mode, are found while somebody types."""

from __future__ import annotations

from hashlib import shake_256
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.test import Client
from PIL import Image

from portal.models import Domain
from signatures.media.library import crop_image, get_offer, upload_image
from signatures.media.pictures import Crop
from signatures.models import Brand, MediaFile, MediaImage
from tests.support.banners import PUBLIC_URL
from tests.support.media import BY, save

BLACK, WHITE, CLEAR = (10, 10, 10, 255), (250, 250, 250, 255), (0, 0, 0, 0)


@pytest.fixture(autouse=True)
def public_url(settings: Any) -> None:
    settings.PUBLIC_URL = PUBLIC_URL


def add(domain: Domain, picture: Image.Image, name: str, kind: str = "image") -> MediaImage:
    return upload_image(domain, ContentFile(save(picture), "a.png"), kind=kind, name=name, actor=BY)


def draw_mark(ink: tuple[int, ...], around: tuple[int, ...] = CLEAR) -> Image.Image:
    """Return a square in the middle third of a picture."""
    picture = Image.new("RGBA", (90, 90), around)
    picture.paste(ink, (30, 30, 60, 60))
    return picture


def draw_noise(seed: int, side: int = 380) -> Image.Image:
    """Return what no encoder makes small."""
    return Image.frombytes("RGB", (side, side), shake_256(bytes([seed])).digest(3 * side * side))


def check(client: Client, *markup: str) -> list[tuple[str, int | None]]:
    source = "\n".join(("<p>{{ sender.name }}</p>", *markup))
    found = client.post("/domains/acme.example/templates/checks/", {"source": source}).json()["findings"]
    return [(one["code"], one["line"]) for one in found]


def img(image: MediaImage) -> str:
    return f'<img src="{get_offer(image).url}" alt="A" width="90">'


def test_a_dark_transparent_image_without_a_background_is_found(company, bystander, editor: Client) -> None:
    dark, light = (
        add(company.domain, draw_mark(BLACK), "Dark"),
        add(company.domain, draw_mark(WHITE), "Light"),
    )
    boxed = add(company.domain, draw_mark(BLACK, WHITE), "Boxed")
    theirs = add(bystander.domain, draw_mark(BLACK), "Theirs")

    assert check(editor, img(light), img(dark)) == [("image-dark", 3)]
    assert check(editor, img(boxed)) == []
    assert check(editor, img(theirs)) == []  # nothing is told of another domain's images
    assert check(editor, f'<div style="background-color: #f4f3f0">{img(dark)}</div>') == []
    assert check(editor, f'<table><tr><td bgcolor="#f4f3f0">{img(dark)}</td></tr></table>') == []


def test_a_crop_is_measured_for_itself(company, editor: Client) -> None:
    image = add(company.domain, draw_mark(BLACK), "Dark")
    crop_image(image, Crop(30, 30, 30, 30), actor=BY)  # nothing of it is transparent
    image.refresh_from_db()

    assert check(editor, img(image)) == []


def test_the_logo_of_the_brand_is_checked_where_a_template_shows_it(
    company, bystander, editor: Client
) -> None:
    logo = add(company.domain, draw_mark(BLACK), "Logo", "logo")
    line = '<img src="{{ company.logo_url }}" alt="Acme" width="90">'
    Brand.objects.update_or_create(domain=bystander.domain, defaults={"logo_url": get_offer(logo).url})
    assert check(editor, line) == []

    Brand.objects.update_or_create(domain=company.domain, defaults={"logo_url": get_offer(logo).url})

    assert check(editor, line) == [("image-dark", 2)]


def test_heavy_images_are_found_alone_and_together(company, bystander, editor: Client) -> None:
    heavy = [add(company.domain, draw_noise(seed), f"Noise {seed}") for seed in (1, 2, 3)]
    theirs = add(bystander.domain, draw_noise(4), "Noise 4")
    assert all(len(bytes(one.current.bytes_2x)) > 100_000 for one in heavy if one.current)

    assert check(editor, img(heavy[0]), img(heavy[0]), img(theirs)) == [("image-heavy", 2)]
    assert check(editor, *map(img, heavy)) == [
        ("images-heavy", None), ("image-heavy", 2), ("image-heavy", 3), ("image-heavy", 4),
    ]  # fmt: skip


def test_an_address_at_1x_is_weighed_as_that_file(company, editor: Client) -> None:
    heavy = add(company.domain, draw_noise(1), "Noise")

    assert check(editor, img(heavy).replace("@2x", "")) == []


def test_the_upgrade_measures_what_is_stored(company, bystander, editor: Client) -> None:
    dark, opaque = add(company.domain, draw_mark(BLACK), "Dark"), add(company.domain, draw_noise(1), "Opaque")
    theirs = add(bystander.domain, draw_mark(WHITE), "Theirs")
    measured = list(MediaFile.objects.order_by("pk").values())
    MediaFile.objects.update(transparent_percent=0, ink_luma=255)
    MediaFile.objects.filter(image=theirs).update(bytes_1x=b"damaged")
    assert check(editor, img(dark)) == []

    import_module("signatures.migrations.0047_image_ink").measure_files(apps, None)

    assert check(editor, img(dark)) == [("image-dark", 2)]
    assert list(MediaFile.objects.exclude(image=theirs).order_by("pk").values()) == measured[:-1]
    assert {one.image_id for one in MediaFile.objects.filter(ink_luma=255)} == {opaque.pk, theirs.pk}
