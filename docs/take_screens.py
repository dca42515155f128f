"""Screens: takes docs/screens/*.png anew from a demo that runs.

`python manage.py demo` in one terminal, `python docs/take_screens.py http://127.0.0.1:8000` in another.
"""

from __future__ import annotations

import argparse
import shutil
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent / "screens"
EMAIL, PASSWORD = "demo@acme.example", "countersign-demo"
DOMAIN = "/domains/acme.example/"
# Picture -> the links that lead there from the overview, the text that the picture begins with, if not the top.
PAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "consent": (("Integrations", "Open connection"), "Permissions"),
    "overview": ((), ""),
    "template": (("Templates", "Letterhead"), ""),
    "ledger": (("Scope ledger",), ""),
    "campaigns": (("Campaigns",), ""),
    "results": (("Results", "Spring webinar"), ""),
}


def log_in(page: Page, portal: str) -> None:
    page.goto(f"{portal}/accounts/login/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/accounts/" not in url)


def take(page: Page, portal: str, name: str) -> None:
    """Take one picture, in 256 colours: a page has few, and the file is a third."""
    links, first = PAGES[name]
    page.goto(portal + DOMAIN)
    for link in links:
        page.get_by_role("link", name=link, exact=True).first.click()
    if first:
        heading = page.get_by_role("heading", name=first)
        heading.evaluate("element => scrollTo(0, element.getBoundingClientRect().top + scrollY - 20)")
    page.wait_for_load_state("networkidle")
    picture = Image.open(BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portal", help="where the demo runs, such as http://127.0.0.1:8000")
    given = parser.parse_args().portal.rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        log_in(opened, given)
        for each in PAGES:
            take(opened, given, each)
        browser.close()
