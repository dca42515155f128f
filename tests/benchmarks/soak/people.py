"""People: who reads pages, edits, publishes, delivers, syncs and runs campaigns, as browsers do, by HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from portal.demo.browser import Browser, DemoFailed, Page
from tests.support.portal_process import DOMAIN, OWNER, PASSWORD

HOME, MANAGED = f"/domains/{DOMAIN}", f"/manage/domains/{DOMAIN}"
PAGES = (
    *(f"{HOME}/{page}" for page in (
        "", "senders/", "groups/", "templates/", "releases/", "deliveries/", "edited/", "campaigns/", "results/",
        "syncs/", "ledger/",
    )),
    f"{MANAGED}/members/", f"{MANAGED}/integrations/outreach/", "/manage/status/",
)  # fmt: skip
PLAN_SECONDS = 120


class People:
    """The owner, in several browsers. campaign: number of the one that is copied."""

    def __init__(self, portal_url: str, *, campaign: int) -> None:
        self._url, self._copied = portal_url, f"{HOME}/campaigns/{campaign}/"
        self._reader: Browser | None = None
        self._running = ""

    def sign_in_anew(self, turn: int) -> dict[str, int]:
        """Replace the session that reads pages."""
        before, self._reader = self._reader, self._log_in()
        if before is not None:
            self._log_out(before)
        return {"sign-ins": 1}

    def read_page(self, turn: int) -> dict[str, int]:
        if self._reader is None:
            return {}
        self._reader.open(self._url + PAGES[turn % len(PAGES)])
        return {"pages read": 1}

    def sync(self, turn: int) -> dict[str, int]:
        with self._signed_in() as browser:
            page = browser.open(f"{self._url}{HOME}/syncs/")
            browser.submit(page, f"{HOME}/syncs/now/")
        return {"syncs begun by hand": 1, "sign-ins": 1}

    def publish(self, turn: int) -> dict[str, int]:
        """Edit the brand, publish it, and deliver it to everybody."""
        with self._signed_in() as browser:
            page = browser.open(f"{self._url}{HOME}/brand/")
            browser.submit(page, f"{HOME}/brand/", legal=f"Acme Example Corporation, notice {turn % 40}")
            page = browser.open(f"{self._url}{HOME}/releases/")
            plan = browser.submit(
                page,
                f"{HOME}/releases/",
                to=f"{HOME}/releases/publish/",
                note=f"Round {turn}",
                stage_0="",  # everybody at once
                stage_1="",
            )
            start = f"{urlsplit(plan.url).path}start/"
            browser.submit(_await_form(browser, plan, start), start)
        return {"releases published and delivered": 1, "sign-ins": 1}

    def run_campaign(self, turn: int) -> dict[str, int]:
        """Copy a campaign and start it; end the one before and put it away."""
        with self._signed_in() as browser:
            page = browser.open(self._url + self._copied)
            copy = browser.submit(page, f"{self._copied}copy/")
            before, self._running = self._running, urlsplit(copy.url).path
            browser.submit(copy, f"{self._running}start/")
            if before:
                form = browser.open(f"{self._url}{before}change/")
                ended_at = datetime.now(UTC) - timedelta(minutes=1)
                page = browser.submit(form, f"{before}change/", ends_at=f"{ended_at:%Y-%m-%dT%H:%M}")
                browser.submit(page, f"{before}archive/")
        return {"campaigns begun": 1, "campaigns ended": 1 if before else 0, "sign-ins": 1}

    @contextmanager
    def _signed_in(self) -> Iterator[Browser]:
        browser = self._log_in()
        yield browser
        self._log_out(browser)

    def _log_in(self) -> Browser:
        browser = Browser()
        page = browser.open(f"{self._url}/accounts/login/")
        browser.submit(page, "/accounts/login/", login=OWNER, password=PASSWORD)
        return browser

    def _log_out(self, browser: Browser) -> None:
        page = browser.open(f"{self._url}/accounts/logout/")
        browser.submit(page, "/accounts/logout/")


def _await_form(browser: Browser, page: Page, action: str) -> Page:
    """Return the page once it has a form for this path. Raises DemoFailed where it gets none."""
    ends_at = time.monotonic() + PLAN_SECONDS
    while True:
        try:
            page.get_form(action)
        except DemoFailed:
            if time.monotonic() > ends_at:
                raise
            time.sleep(1)
            page = browser.open(page.url)
        else:
            return page
