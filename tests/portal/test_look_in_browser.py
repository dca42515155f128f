"""Signing-in pages, errors and the admin as a browser, a screen reader and the policy meet them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from portal.models import User
from tests.support.accessibility import find_violations

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"  # the one `make_member` gives
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]

BEFORE_LOGIN = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-used/",
    "/accounts/confirm-email/used/",
    "/accounts/inactive/",
    "/accounts/3rdparty/login/cancelled/",
    "/accounts/3rdparty/login/error/",
]
AFTER_LOGIN = [
    "/accounts/logout/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/sessions/",
    "/manage/domains/acme.example/members/",  # a table with words for screen readers, wider than a phone
    "/admin/",
    "/admin/integrations/mailbox/",
    "/there-is-no-such-page/",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide-light", "phone-dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer) -> Iterator[Page]:
    width, scheme = request.param
    context = chromium.new_context(
        base_url=live_server.url, viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def person(owner: User) -> User:
    """An owner who is staff too, so that the admin opens."""
    owner.is_staff = owner.is_superuser = True
    owner.save()
    return owner


def _log_in(page: Page, person: User) -> None:
    page.goto("/accounts/login/?next=/accounts/reauthenticate/")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.wait_for_url(lambda url: "reauthenticate" not in url)


def _findings(page: Page, path: str) -> list[str]:
    """Return what the policy refused, what axe found, and whether the page is wider than its window."""
    found: list[str] = []
    refusals: list[str] = []
    page.on("console", lambda m: refusals.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto(path)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{path}: wider than the window")
    found += [f"{path}: {text}" for text in refusals]
    return found + [f"{path}: {fault}" for fault in find_violations(page)]


def test_pages_before_login_are_accessible_and_within_the_policy(page: Page) -> None:
    assert [finding for path in BEFORE_LOGIN for finding in _findings(page, path)] == []


def test_pages_after_login_are_accessible_and_within_the_policy(page: Page, person: User) -> None:
    _log_in(page, person)

    assert [finding for path in AFTER_LOGIN for finding in _findings(page, path)] == []


def test_the_login_page_offers_neither_sign_up_nor_outreach(page: Page) -> None:
    page.goto("/accounts/login/")

    assert page.get_by_role("link").all_inner_texts() == [
        "Skip to content",
        "Countersign",
        "Sandbox",  # only where a sandbox stands in for Outreach
        "Forgot your password?",
    ]


def test_a_time_is_shown_in_the_readers_zone_with_its_name_one_hover_away(
    chromium: Browser, live_server: LiveServer, person: User
) -> None:
    context = chromium.new_context(base_url=live_server.url, timezone_id="Asia/Tokyo")
    page = context.new_page()
    _log_in(page, person)

    page.goto("/accounts/sessions/")
    time = page.locator("tbody time").first

    assert "(Asia/Tokyo)" in (time.get_attribute("title") or "")
    assert "UTC" not in time.inner_text()
    context.close()


def test_places_are_open_on_a_wide_window_and_folded_on_a_phone_without_any_script(
    chromium: Browser, live_server: LiveServer, client: Client, person: User
) -> None:
    client.force_login(person)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    seen = []
    for width in (1280, 390):
        context = chromium.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 844}, java_script_enabled=False
        )
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
        )
        page = context.new_page()
        page.goto("/accounts/2fa/")
        before = page.get_by_role("link", name="Sessions").is_visible()
        if width == 390:
            page.locator(".spine summary").click()
        seen.append((before, page.get_by_role("link", name="Sessions").is_visible()))
        context.close()

    assert seen == [(True, True), (False, True)]
