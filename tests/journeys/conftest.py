"""A person at a browser, in front of a portal that really runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser_person import Person
from tests.support.installation import migrate_template

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
