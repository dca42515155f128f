"""A person at a browser, in front of a portal that really runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.installation import migrate_template
from tests.portal_process import OWNER, PASSWORD
from tests.support.accessibility import find_violations

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, to copy."""
    return migrate_template(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


class Person:
    """Somebody at a browser; `complaints` holds every console error and refused piece of every page."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self.url = url
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self.hosts.add("/".join(request.url.split("/")[:3])))
        self.page: Page = context.new_page()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def log_in(self, email: str = OWNER) -> Page:
        self.page.goto("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(lambda url: "/accounts/" not in url)
        return self.page

    def press_by_keyboard(self, name: str, *, most_tabs: int = 60) -> None:
        """Tab to the button or link of this name, from wherever the focus is, and press Enter."""
        for _ in range(most_tabs):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.innerText.trim()") == name:
                with self.page.expect_navigation():
                    self.page.keyboard.press("Enter")
                return
        pytest.fail(f"{self.page.url}: {name!r} is not reached by {most_tabs} tabs")

    def find_faults(self, *rules: str) -> list[str]:
        """What axe finds on the page now, and whether the page is wider than its window. rules: all, by default."""
        where = self.page.url.removeprefix(self.url)
        faults = [f"{where}: {one}" for one in find_violations(self.page, *rules)]
        if self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            faults.append(f"{where}: wider than the window")
        return faults


@pytest.fixture
def sit_down(chromium: Browser) -> Iterator[Callable[..., Person]]:
    """Open a browser of its own in front of the portal at an address."""
    contexts = []

    def make(url: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Person:
        context = chromium.new_context(
            base_url=url, viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        contexts.append(context)
        return Person(context, url)

    yield make
    for context in contexts:
        context.close()
