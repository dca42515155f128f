"""The editor as a browser meets it: the preview follows the typing, and works on request without script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from signatures.authoring.templates import assign_template
from signatures.models import Sender, Template
from tests.support.accessibility import find_violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PREVIEW = "iframe.preview:not([hidden])"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop on this thread; Django would refuse the ORM beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield started
        started.close()


@pytest.fixture
def page(request, browser: Browser, live_server, company, editor) -> Iterator[Page]:
    """The editor of “Card”, open in a browser where an editor is logged in."""
    company.add("Ana Silva")
    card = Template.objects.get(domain=company.domain, name="Card")
    has_script = getattr(request, "param", True)
    context = browser.new_context(java_script_enabled=has_script)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": editor.cookies[name].value, "url": live_server.url}])
    opened = context.new_page()
    opened.goto(f"{live_server.url}/domains/acme.example/templates/{card.pk}/")
    opened.has_script = has_script
    yield opened
    context.close()


@pytest.mark.parametrize("page", [True, False], ids=["with script", "without script"], indirect=True)
def test_the_preview_shows_what_is_typed_as_any_sender_and_the_error_with_its_place(page: Page):
    def type_source(source: str) -> None:
        page.get_by_label("Source", exact=True).fill(source)
        if not page.has_script:
            page.get_by_role("button", name="Preview").click()

    shown = page.frame_locator(PREVIEW).locator("body")
    page.get_by_label("Preview as", exact=True).fill("person1@acme.example")

    type_source("<p>Hello {{ sender.name }}</p>")
    expect(shown).to_have_text("Hello Ana Silva")
    type_source("<p>\n{{ sender.nam }}</p>")
    expect(shown).to_contain_text("Line 2, column 1")

    assert Template.objects.get(name="Card", domain__name="acme.example").versions.count() == 1


def test_a_finding_lists_its_people_and_opens_the_settings_of_its_block(page: Page):
    ana = Sender.objects.get(name="Ana Silva")
    card = Template.objects.get(domain=ana.domain, name="Card")
    assign_template(ana.domain, template=card, sender=ana, actor="test")
    page.reload()
    checked = page.locator(".findings > li", has_text="Line")
    finding = checked.filter(has_text="is empty for 1 of 1.").filter(has_text="Contact, block").first

    expect(finding.get_by_role("link", name="1 person")).to_be_visible()
    finding.get_by_role("button", name="Block settings").click()
    expect(page.locator("#blocks").get_by_role("heading", name="Contact")).to_be_visible()
    finding.get_by_role("link", name="1 person").click()

    expect(page.locator("tbody tr")).to_have_count(1)


def test_drafts_do_not_fill_the_way_back(page: Page):
    before = page.evaluate("history.length")
    shown = page.frame_locator(PREVIEW).locator("body")

    for words in ("One", "Two", "Three"):
        page.get_by_label("Source", exact=True).fill(f"<p>{words}</p>")
        expect(shown).to_have_text(words)

    assert page.evaluate("history.length") == before
    assert page.locator("iframe").count() == 1


def test_the_editor_has_no_finding_of_the_accessibility_checker(page: Page):
    assert find_violations(page) == []


def test_typing_offers_what_a_template_may_use_and_posts_what_stands_in_the_editor(page: Page):
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Security Policy" in said.text else None)
    source = page.get_by_label("Source", exact=True)
    source.fill("")
    offered = page.locator(".cm-tooltip-autocomplete li")

    page.keyboard.type("<p>{{ sender.t")
    expect(offered).to_have_text(["titleJob title"])
    page.keyboard.press("Enter")
    page.keyboard.type(" | upca")
    expect(offered).to_have_text(["upcase"])
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    expect(page.frame_locator(PREVIEW).locator("body")).to_have_text("HEAD OF PARTNERSHIPS")
    page.keyboard.press("Tab")

    assert not source.evaluate("it => it.getRootNode().activeElement === it"), "Tab leaves the editor"
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_text("Version 2 saved as a draft.")).to_be_visible()
    assert Template.objects.get(name="Card", domain__name="acme.example").current.source == (
        "<p>{{ sender.title | upcase}}</p>"
    )
    assert refused == []


def test_findings_stand_on_their_lines_and_f8_walks_them(page: Page):
    page.locator("label", has_text="Source").click()  # the label takes one into the editor
    page.get_by_label("Source", exact=True).fill(
        '<p>{{ sender.name }}</p>\n<p style="position: fixed">a</p>\n<blink>b</blink>'
    )
    told = page.get_by_role("status").and_(page.locator("[data-code-status]"))
    listed = page.locator("#checks li")

    expect(listed).to_have_count(2)
    expect(page.locator(".cm-lint-marker")).to_have_count(2)
    page.get_by_role("button", name="Line 2").click()
    expect(told).to_contain_text("Line 2. Warning: The style “position: fixed” is not allowed")
    page.keyboard.press("F8")
    expect(told).to_contain_text("Line 3. Warning: The tag <blink> is not allowed")
    page.keyboard.press("F8")
    expect(told).to_contain_text("Line 2.")
    assert find_violations(page) == []

    page.get_by_label("Source", exact=True).fill("<p>{{ sender.nam }}</p>")
    expect(listed).to_have_count(1)
    expect(listed).to_contain_text("There is no field sender.nam.")


def test_what_is_typed_while_the_blocks_are_read_stays_in_the_source(page: Page):
    """The answer to a source of before takes nothing away, and Undo goes back to it."""
    held: list[Route] = []
    page.route(re.compile(r"/blocks/$"), lambda route: route.continue_() if held else held.append(route))
    source, typed = page.get_by_label("Source", exact=True), page.locator("textarea[name=source]")
    shown = page.frame_locator(PREVIEW).locator("body")
    with page.expect_request(re.compile(r"/blocks/$")):
        source.fill("<p>Before</p>")

    source.fill("<p>Meanwhile</p>")
    held[0].continue_()
    answered = r'"\u003Cp\u003EMeanwhile\u003C/p\u003E"'
    expect(page.locator("#blocks-source")).to_have_js_property("textContent", answered)
    expect(shown).to_have_text("Meanwhile")

    expect(typed).to_have_value("<p>Meanwhile</p>")
    page.get_by_role("button", name="Undo").click()
    expect(typed).to_have_value("<p>Before</p>")
    expect(shown).to_have_text("Before")
