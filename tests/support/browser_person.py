"""Browser person: somebody at a real browser, whose pages are checked as they go."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from .accessibility import find_violations
from .portal_process import OWNER, PASSWORD


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
        self.page.get_by_label("E-mail address").fill(email)
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
