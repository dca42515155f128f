"""Somebody who knows no HTML makes a template from a design: blocks, their settings, undo, and the code beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, running_portal

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_template_is_made_of_blocks_without_html(
    migrated: Path,
    tmp_path: Path,
    sit_down: Callable[..., Person],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    with running_portal(tmp_path, migrated, people=3) as portal, portal.served(tmp_path, "--no-worker"):
        dana = sit_down(portal.url, width=width, scheme=scheme)
        page = dana.log_in()
        page.goto(f"/domains/{DOMAIN}/templates/new/")
        page.get_by_role("link", name="Start from Compact reply").click()
        blocks, frame = (
            page.locator("#blocks"),
            page.frame_locator("iframe.preview:not([hidden])").locator("body"),
        )
        names = blocks.locator("li[data-path] > .block > .plain")
        faults = dana.find_faults()
        number = names.count()

        blocks.get_by_label("Block to add").select_option(label="Text")
        blocks.get_by_role("button", name="Add block").click()
        expect(names).to_have_count(number + 1)
        expect(names.last).to_be_focused()
        blocks.get_by_label("Text", exact=True).fill("Office closed on Fridays")
        expect(frame).to_contain_text(
            "Office closed on Fridays"
        )  # what is typed shows before it is taken over
        faults += dana.find_faults()
        blocks.get_by_role("button", name="Move up Text").last.press("Enter")
        expect(names.nth(number - 1)).to_contain_text("Text")
        expect(names.nth(number - 1)).to_be_focused()
        expect(names.nth(number - 1)).to_contain_text("Office closed on Fridays")

        blocks.get_by_label("Move to").select_option(label="First")
        blocks.get_by_role("button", name="Move", exact=True).click()
        expect(names.first).to_contain_text("Office closed on Fridays")
        blocks.get_by_role("button", name="Undo").click()
        expect(names.nth(number - 1)).to_contain_text("Office closed on Fridays")
        blocks.get_by_role("button", name="Undo").click()
        expect(names.last).to_contain_text("Text")
        blocks.get_by_role("button", name="Redo").click()
        expect(names.nth(number - 1)).to_contain_text("Text")
        page.locator("textarea[name=source]").evaluate(
            "(area) => { area.value = area.value.replace('on Fridays</td>', 'at noon</td>');"
            " area.dispatchEvent(new Event('input', {bubbles: true})) }"
        )
        expect(names.nth(number - 1)).to_contain_text("Code")  # it was changed by hand
        page.get_by_label("Name", exact=True).fill("Fridays")
        page.get_by_role("button", name="Save template").click()
        expect(page.get_by_text("“Fridays” saved.")).to_be_visible()

        expect(page.locator("#blocks li[data-path] > .block > .plain").nth(number - 1)).to_contain_text(
            "Code"
        )
        assert faults + dana.find_faults() == []
        assert dana.complaints == []
        assert dana.hosts == {portal.url}
