"""Frames as a browser shows them: as tall as the signature in them, and unable to run anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from integrations.models import Mailbox
from signatures.authoring.starters import STARTERS
from signatures.authoring.templates import save_template
from signatures.delivery.planning import plan_delivery
from signatures.models import Delivery, Template
from tests.support.browser_checks import QUIET

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = "/domains/acme.example/"
WIDTHS = pytest.mark.parametrize("width", [1280, 390])
ATTACK = (
    "<p style='height: 700px; margin: 9px 0'>Before</p><script>top.document.title = 'run'</script>"
    "<img src=x onerror=\"top.document.title = 'run'\"><a id=go href=\"javascript:top.document.title = 'run'\">Go</a>"
)
# Each frame's height, what its content needs, and how much of the content the frame hides.
MEASURE = """frames => frames.map(frame => {
  const page = frame.contentDocument.documentElement
  return [frame.clientHeight, Math.ceil(page.getBoundingClientRect().height),
          Math.max(0, page.scrollHeight - page.clientHeight)]
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, live_server, company, editor: Client) -> Iterator[Callable[..., Page]]:
    """Open a page of the domain as its editor, in a window of this width."""
    contexts = []

    def open_page(path: str, *, width: int, has_script: bool = True) -> Page:
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": 900},
                java_script_enabled=has_script,
                base_url=live_server.url,
            )
        )
        name = settings.SESSION_COOKIE_NAME
        cookie = {"name": name, "value": editor.cookies[name].value, "url": live_server.url}
        contexts[-1].add_cookies([cookie])
        page = contexts[-1].new_page()
        page.goto(ADDRESS + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


def wait_until_fit(page: Page) -> list[list[int]]:
    """Return the frames' measures once each is as tall as its content; the time-out names those that are not."""
    frames = page.locator("iframe.preview")
    for place in range(frames.count()):
        frames.nth(place).scroll_into_view_if_needed()  # those below the window come when they are looked for
    page.wait_for_function(
        f"() => ({MEASURE})([...document.querySelectorAll('iframe.preview')]).every(([tall, needed, hidden]) => "
        "needed > 40 && tall >= needed && tall <= needed + 20 && hidden === 0)",
        timeout=10_000,
    )
    return list(frames.evaluate_all(MEASURE))


@WIDTHS
def test_a_frame_is_as_tall_as_the_signature_in_it(company, open_page, width):
    ana = company.add("Ana Silva", title="Account Executive")
    company.add("Tom Okafor")
    run = plan_delivery(company.domain, actor="x")
    card = Template.objects.get(domain=company.domain, name="Card")
    delivery = Delivery.objects.get(run=run, sender=ana)

    frames = {
        path: len(wait_until_fit(open_page(path, width=width)))
        for path in (
            f"senders/{ana.pk}/",
            f"senders/{ana.pk}/?view=text",
            "templates/",
            "templates/new/",
            f"templates/{card.pk}/",
            f"deliveries/{run.pk}/mailboxes/{delivery.pk}/",
        )
    }

    assert list(frames.values()) == [1, 1, 3, len(STARTERS), 1, 2]


def test_a_frame_follows_its_window_and_its_draft(company, open_page):
    company.add("Ana Silva")
    card = Template.objects.get(domain=company.domain, name="Card")
    words = " ".join(["word"] * 200)
    save_template(company.domain, name="Card", source=f"<p>{words}</p>", actor="x", template=card)
    page = open_page(f"templates/{card.pk}/", width=1280)
    [[wide, *_]] = wait_until_fit(page)

    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(f"() => document.querySelector('iframe.preview').clientHeight > {wide} + 50")
    [[narrow, *_]] = wait_until_fit(page)
    page.get_by_label("Source", exact=True).fill("<p>One</p><p>Two</p>")
    page.wait_for_function(
        f"() => document.querySelector('iframe.preview:not([hidden])').clientHeight < {narrow} - 50"
    )

    assert len(wait_until_fit(page)) == 1


def test_markup_of_a_mailbox_runs_nothing_in_a_frame_that_is_measured(company, open_page):
    ana = company.add("Ana Silva")
    bystander = company.add("Tom Okafor")
    Mailbox.objects.filter(person_remote_id=ana.person.remote_id).update(signature_html=ATTACK)
    run = plan_delivery(company.domain, actor="x")
    page = open_page(
        f"deliveries/{run.pk}/mailboxes/{Delivery.objects.get(run=run, sender=ana).pk}/", width=1280
    )
    title = page.title()

    before, _after = wait_until_fit(page)
    page.frame_locator("iframe.preview").first.locator("#go").click()
    page.frame_locator("iframe.preview").first.locator("#go").wait_for()

    assert before[0] > 700
    assert page.title() == title != "run"
    assert Mailbox.objects.get(person_remote_id=bystander.person.remote_id).signature_html == "<p>Before</p>"


@WIDTHS
def test_without_script_a_frame_has_a_sensible_height(company, open_page, width):
    ana = company.add("Ana Silva", title="Account Executive")

    page = open_page(f"senders/{ana.pk}/", width=width, has_script=False)

    assert 300 <= page.locator("iframe.preview").bounding_box()["height"] <= 400
