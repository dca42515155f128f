"""Browser checks: what a page shows to a browser, a screen reader and its policy."""

from __future__ import annotations

from playwright.sync_api import Page

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
