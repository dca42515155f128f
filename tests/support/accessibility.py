"""Accessibility: what axe finds on a page, with its script injected once."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCRIPT = Axe().axe_script


def find_violations(page: Page, *rules: str) -> list[str]:
    """Return each violation's rule and first element; of all rules where none is named.

    Frames hold a signature alone, in a sandbox that axe cannot talk to.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(SCRIPT)
    options = {"iframes": False, "resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    # Only what is wanted crosses the pipe: the elements of each rule that holds are most of an answer.
    found: list[str] = page.evaluate(
        "options => axe.run(options).then(all => all.violations.map(one => `${one.id}: ${one.nodes[0].html}`))",
        options,
    )
    return found
