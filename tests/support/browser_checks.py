"""Browser checks: what a page shows to a browser, a screen reader and its policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

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


@contextmanager
def open_chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield browser
        browser.close()


def open_page(
    browser: Browser, url: str, client: Client, *, width: int, scheme: str = "light", has_script: bool = True
) -> Page:
    """Return a page of a browser of its own, in which the client's user is signed in at the server of `url`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]  # light or dark
        base_url=url,
        java_script_enabled=has_script,
    )
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    return context.new_page()


def find_faults(page: Page, path: str) -> list[str]:
    """Return what the policy refused, what axe found, and whether the page is wider than its window."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    response = page.goto(path)
    found = [] if response and response.status == 200 else [f"{path}: no page"]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{path}: wider than the window")
    found += [f"{path}: {text}" for text in said]
    return found + [f"{path}: {fault}" for fault in find_violations(page)]
