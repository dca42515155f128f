"""A hand edit as a person meets it: read with the next sync, shown as a difference, adopted."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, expect, sync_playwright

from signatures.models import LeftAlone
from tests.support.browser_checks import QUIET
from tests.support.deliveries import get_delivered, get_held, get_writes
from tests.support.hand_edits import edit, get_state, pick_mailboxes, sync_mailboxes

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield started
        started.close()


def test_a_hand_edit_is_seen_shown_and_adopted(browser, live_server, sandbox, ready, deliver, domain, owner):
    mine, theirs = pick_mailboxes(get_delivered(deliver()))
    title, person = get_state(mine).sender.person.title, str(get_state(mine).sender)
    html = get_held(sandbox)[mine].replace(title, "Chief Lamplighter")
    client = Client()
    client.force_login(owner)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    cookie = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": cookie, "value": client.cookies[cookie].value, "url": live_server.url}])
    page = context.new_page()
    sandbox.requests.clear()

    edit(sandbox, mine, html)
    edit(sandbox, theirs, "")
    sync_mailboxes(ready)
    page.goto(reverse("signatures:drift", args=[domain.name]))

    expect(page.get_by_role("heading", level=3, name=person)).to_be_visible()
    expect(page.locator(".differences")).to_contain_text("Lamplighter")
    theirs_frame = page.frame_locator('iframe[title^="What the mailbox"]')
    expect(theirs_frame.get_by_text("Chief Lamplighter")).to_be_visible()
    expect(
        page.frame_locator('iframe[title^="What the live"]').get_by_text("Chief Lamplighter")
    ).to_have_count(0)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("td.state").first).to_be_visible()

    page.get_by_role("button", name="Keep edit").first.click()

    expect(page.get_by_text("Edit kept in 1 mailbox.")).to_be_visible()
    expect(page.get_by_role("heading", level=3, name=person)).to_have_count(0)
    page.wait_for_load_state("networkidle")
    context.close()
    assert LeftAlone.objects.get().mailbox_remote_id == mine
    assert (get_held(sandbox)[mine], get_writes(sandbox)) == (html, [])
