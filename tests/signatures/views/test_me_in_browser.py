"""A sender changes their photo, in a browser: upload, crop, use; wide and on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from signatures.models import MediaImage
from tests.support.accessibility import find_violations
from tests.support.browser_checks import open_chromium, open_page
from tests.support.company import Company
from tests.support.media import draw, save
from tests.support.self_service import get_me, sign_in_as, switch_on
from tests.support.senders import get_own

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as started:
        yield started


def find_faults(page: Page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return find_violations(page) + (["wider than the window"] if wide else [])


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_sender_changes_their_photo(
    browser: Browser,
    live_server: Any,
    company: Company,
    settings: Any,
    tmp_path: Path,
    width: int,
    scheme: str,
):
    settings.PUBLIC_URL = "https://sign.acme.example"
    switch_on(company.domain)
    priya = company.add("Priya Raman", title="Account Executive")
    dan = company.add("Dan Cole")
    page = open_page(browser, live_server.url, sign_in_as(priya), width=width, scheme=scheme)
    photo = tmp_path / "priya.png"
    photo.write_bytes(save(draw((640, 480))))

    page.goto(get_me(priya))
    assert find_faults(page) == []
    page.get_by_label("Pronouns").fill("she/her")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("It goes in with the next delivery.").wait_for()
    page.get_by_label("Choose a photo").set_input_files(photo)
    page.get_by_role("button", name="Upload and crop").click()
    page.get_by_role("heading", name="Crop your photo").wait_for()
    assert find_faults(page) == []
    page.locator(".cropper .kept").wait_for()
    page.get_by_label("Width").fill("300")
    page.get_by_label("Height").fill("300")
    page.get_by_role("button", name="Use this photo").click()
    page.get_by_alt_text("Your photo").wait_for()

    assert find_faults(page) == []
    assert page.evaluate("document.querySelector('.portrait').naturalWidth") > 0
    own = get_own()
    image = MediaImage.objects.get(sender=priya)
    assert own[priya.email]["sender.pronouns"] == "she/her"
    assert image.current is not None
    assert image.current.digest in own[priya.email]["sender.photo_url"]
    assert (image.current.crop["width"], image.current.crop["height"]) == (300, 300)
    assert own[dan.email] == {}
    page.context.close()
