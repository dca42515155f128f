"""A photo and an image are cropped in a browser, by mouse, by keyboard and without script; the pixels say which part.

The picture has four quarters of one colour each, so that a crop of one quarter is told by its colour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from PIL import Image
from playwright.sync_api import Browser, Page

from signatures.media.library import get_offer, upload_image
from signatures.models import MediaFile, MediaImage
from tests.support.browser_checks import open_chromium, open_page
from tests.support.company import Company
from tests.support.media import BY, add_medium, save
from tests.support.self_service import get_me, sign_in_as, switch_on
from tests.support.senders import get_own

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZE = (800, 600)
RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 60), (40, 60, 200), (230, 200, 40)
QUARTERS = {(0, 0): RED, (1, 0): GREEN, (0, 1): BLUE, (1, 1): YELLOW}
NEAR = 12  # of 255: what JPEG and resampling may change
NUMBERS = ("Left", "Top", "Width", "Height")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def _public(settings: Any) -> None:
    settings.PUBLIC_URL = "https://sign.acme.example"


def draw_quarters() -> bytes:
    picture = Image.new("RGB", SIZE)
    half = (SIZE[0] // 2, SIZE[1] // 2)
    for (across, down), colour in QUARTERS.items():
        at = (across * half[0], down * half[1])
        picture.paste(colour, (*at, at[0] + half[0], at[1] + half[1]))
    return save(picture)


def read_pixels(
    page: Page, image: MediaImage
) -> dict[str, tuple[tuple[int, int], set[tuple[int, int, int]]]]:
    """Return of the image's addresses at 1× and 2× the size, and which quarters' colours corners and middle have."""
    path, found = get_offer(image).path, {}
    for scale, address in (("1x", path.replace("@2x", "")), ("2x", path)):
        answer = page.request.get(address)
        assert answer.status == 200, address
        with Image.open(BytesIO(answer.body())) as picture:
            right, bottom = picture.width - 1, picture.height - 1
            places = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right // 2, bottom // 2)]
            seen = {name_colour(picture.convert("RGB").getpixel(place)) for place in places}
            found[scale] = (picture.size, seen)
    return found


def name_colour(pixel: Any) -> tuple[int, int, int]:
    near = [
        one for one in QUARTERS.values() if all(abs(a - b) <= NEAR for a, b in zip(one, pixel, strict=True))
    ]
    return near[0] if near else pixel


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw from one place of the shown picture to another; both as parts of its width and height.

    Until the images of the page are there, they have another size, and what is below them another place.
    """
    shown = page.locator(".cropper img")
    page.wait_for_load_state("load")
    shown.evaluate("image => image.decode()")
    shown.scroll_into_view_if_needed()
    box = shown.bounding_box()
    assert box is not None
    for number, (x, y) in enumerate((start, end)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        page.mouse.down() if number == 0 else page.mouse.up()


def get_numbers(page: Page) -> tuple[int, ...]:
    return tuple(int(page.get_by_label(name).input_value()) for name in NUMBERS)


def type_numbers(page: Page, *numbers: int) -> None:
    """Enter the numbers by keyboard: the last one with an arrow for one pixel more."""
    page.get_by_label("Left").focus()
    for name, number in zip(NUMBERS, numbers, strict=True):
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(str(number))
        page.keyboard.press("ArrowUp" if name == NUMBERS[-1] else "Tab")


def fill_numbers(page: Page, *numbers: int, button: str, left: int) -> None:
    """Enter the numbers where no script runs; they reach too far and are refused, so enter another `left`."""
    assert page.locator(".cropper .kept").count() == 0
    assert not page.get_by_text("Or draw the part to keep.").is_visible()
    for name, number in zip(NUMBERS, numbers, strict=True):
        page.get_by_label(name).fill(str(number))
    page.get_by_role("button", name=button).click()
    page.get_by_text("The crop must lie inside the image").first.wait_for()
    page.get_by_label("Left").fill(str(left))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "priya.png"
    path.write_bytes(draw_quarters())
    return path


@pytest.fixture
def priya(company: Company) -> Any:
    switch_on(company.domain)
    company.add("Dan Cole")
    return company.add("Priya Raman")


def upload_own(page: Page, sender: Any, photo: Path) -> None:
    page.goto(get_me(sender))
    page.get_by_label("Choose a photo").set_input_files(photo)
    page.get_by_role("button", name="Upload and crop").click()
    page.get_by_role("heading", name="Crop your photo").wait_for()


def check_own(page: Page, sender: Any, colour: tuple[int, int, int], side: int) -> None:
    """The sender's photo is one quarter's colour at both scales, and nobody else has one."""
    image = MediaImage.objects.get(sender=sender)
    doubled = min(side, 400)
    assert read_pixels(page, image) == {
        "1x": ((doubled // 2, doubled // 2), {colour}),
        "2x": ((doubled, doubled), {colour}),
    }
    own = get_own()
    assert image.current is not None
    assert image.current.digest in own[sender.email]["sender.photo_url"]
    assert [email for email, values in own.items() if values] == [sender.email]


# ── A sender's own photo ─────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_sender_draws_and_moves_the_square_of_their_photo_by_mouse(
    browser: Browser, live_server: Any, priya: Any, photo: Path, width: int, scheme: str
) -> None:
    page = open_page(browser, live_server.url, sign_in_as(priya), width=width, scheme=scheme)
    upload_own(page, priya, photo)
    page.locator(".cropper .kept").wait_for()

    drag(page, (0.05, 0.05), (0.35, 0.45))
    left, top, *sides = get_numbers(page)
    assert (left < 60, top < 50) == (True, True)
    assert sides[0] == sides[1]
    drag(page, (0.15, 0.2), (0.7, 0.75))  # from inside of what is kept, so that it moves
    moved = get_numbers(page)
    assert moved[2:] == tuple(sides)
    assert moved[0] >= SIZE[0] // 2 and moved[1] >= SIZE[1] // 2
    page.get_by_role("button", name="Use this photo").click()
    page.get_by_alt_text("Your photo").wait_for()

    check_own(page, priya, YELLOW, sides[0])
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_sender_crops_their_photo_by_keyboard_alone(
    browser: Browser, live_server: Any, priya: Any, photo: Path, width: int
) -> None:
    page = open_page(browser, live_server.url, sign_in_as(priya), width=width)
    upload_own(page, priya, photo)

    type_numbers(page, 420, 20, 240, 239)
    shown = page.locator(".kept").evaluate("kept => [kept.style.left, kept.style.height]")
    page.keyboard.press("Enter")
    page.get_by_alt_text("Your photo").wait_for()

    assert shown == ["52.5%", "40%"]
    check_own(page, priya, GREEN, 240)
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_without_script_the_numbers_do_the_same(
    browser: Browser, live_server: Any, priya: Any, photo: Path, width: int
) -> None:
    page = open_page(browser, live_server.url, sign_in_as(priya), width=width, has_script=False)
    upload_own(page, priya, photo)

    fill_numbers(page, 900, 310, 200, 200, button="Use this photo", left=10)
    page.get_by_role("button", name="Use this photo").click()
    page.get_by_alt_text("Your photo").wait_for()

    check_own(page, priya, BLUE, 200)
    page.context.close()


# ── An image of Media ────────────────────────────────────────────────────────────────────────────
CROPPED = "It has a new address; what uses the former one keeps showing the former crop"


@dataclass(frozen=True)
class Library:
    """An image of four quarters and another one, both whole, and the file of each at first."""

    image: MediaImage
    bystander: MediaImage
    first: MediaFile
    untouched: MediaFile

    def open(self, page: Page) -> None:
        page.goto(f"/domains/{self.image.domain}/media/{self.image.pk}/")

    def crop(self, page: Page) -> None:
        """Save what is chosen. The page is the same before and after, but for what it says."""
        page.get_by_role("button", name="Save crop").click()
        page.get_by_text(CROPPED).wait_for()

    def check(self, page: Page, colour: tuple[int, int, int], size: tuple[int, int]) -> None:
        """The image is one quarter's colour and has this size at 2×; its former file and the other image stay."""
        image = MediaImage.objects.get(pk=self.image.pk)
        assert read_pixels(page, image) == {
            "1x": ((size[0] // 2, size[1] // 2), {colour}),
            "2x": (size, {colour}),
        }
        assert set(MediaFile.objects.filter(image=image)) == {self.first, image.current}
        other = MediaImage.objects.get(pk=self.bystander.pk)
        assert list(MediaFile.objects.filter(image=other)) == [other.current] == [self.untouched]


@pytest.fixture
def library(company: Company) -> Library:
    picture = ContentFile(draw_quarters(), "quarters.png")
    image = upload_image(company.domain, picture, kind="image", name="Four quarters", actor=BY)
    bystander = add_medium(company.domain, "Bystander", kind="image")
    assert image.current is not None and bystander.current is not None
    return Library(image, bystander, image.current, bystander.current)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_an_editor_draws_sizes_and_moves_the_crop_of_an_image_by_mouse(
    browser: Browser, live_server: Any, library: Library, editor: Client, width: int, scheme: str
) -> None:
    page = open_page(browser, live_server.url, editor, width=width, scheme=scheme)
    library.open(page)
    page.locator(".cropper .kept").wait_for()
    assert get_numbers(page) == (0, 0, *SIZE)

    drag(page, (0.55, 0.1), (0.75, 0.4))
    drawn = get_numbers(page)
    assert_near(drawn, (440, 60, 160, 180))
    corner = ((drawn[0] + drawn[2]) / SIZE[0] - 0.005, (drawn[1] + drawn[3]) / SIZE[1] - 0.005)
    drag(page, corner, (0.85, 0.3))
    sized = get_numbers(page)
    assert_near(sized, (440, 60, 240, 120))
    drag(page, (0.6, 0.15), (0.1, 0.7))  # from inside of what is kept, so that it moves
    assert_near(get_numbers(page), (40, 390, 240, 120))
    assert get_numbers(page)[2:] == sized[2:]
    library.crop(page)

    assert_near(get_numbers(page), (40, 390, 240, 120))
    library.check(page, BLUE, sized[2:])
    page.context.close()


def assert_near(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """A shown pixel is up to three of the uploaded image at the narrow width."""
    assert all(abs(a - b) <= 6 for a, b in zip(found, expected, strict=True)), (found, expected)


@pytest.mark.parametrize("width", [1280, 390])
def test_an_editor_crops_an_image_by_keyboard_alone(
    browser: Browser, live_server: Any, library: Library, editor: Client, width: int
) -> None:
    page = open_page(browser, live_server.url, editor, width=width)
    library.open(page)

    type_numbers(page, 420, 20, 300, 199)
    shown = page.locator(".kept").evaluate("kept => [kept.style.left, kept.style.width]")
    page.keyboard.press("Enter")
    page.get_by_text(CROPPED).wait_for()

    assert shown == ["52.5%", "37.5%"]
    library.check(page, GREEN, (300, 200))
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_without_script_the_numbers_crop_an_image(
    browser: Browser, live_server: Any, library: Library, editor: Client, width: int
) -> None:
    page = open_page(browser, live_server.url, editor, width=width, has_script=False)
    library.open(page)

    fill_numbers(page, 700, 310, 200, 100, button="Save crop", left=410)
    library.crop(page)

    library.check(page, YELLOW, (200, 100))
    page.context.close()
