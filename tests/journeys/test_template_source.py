"""Somebody breaks a template's HTML, sees where on its line, mends it, and looks at it as mail clients show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, running_portal

pytestmark = pytest.mark.browser

BROKEN = '<p>{{ sender.name }}</p>\n<div style="padding: 4px">{{ sender.titel }}</div>'
MENDED = BROKEN.replace("titel", "title")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_broken_html_is_seen_on_its_line_mended_and_looked_at_as_clients_show_it(
    migrated: Path,
    tmp_path: Path,
    sit_down: Callable[..., Person],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    with running_portal(tmp_path, migrated, people=3) as portal, portal.served(tmp_path, "--no-worker"):
        dana = sit_down(portal.url, width=width, scheme=scheme)
        page = dana.log_in()
        page.goto(f"/domains/{DOMAIN}/templates/new/?starter=")
        page.get_by_label("Name", exact=True).fill("By hand")
        source = page.get_by_label("Source", exact=True)
        source.fill(BROKEN)
        checks = page.locator("#checks li")
        expect(checks).to_have_text(
            [r"Error There is no field sender.titel. Did you mean sender.title? Line 2"]
        )
        faults = dana.find_faults()

        page.get_by_role("button", name="Line 2").click()
        page.keyboard.type("{{ sender.title }}")  # what is wrong is selected
        expect(checks).to_contain_text("Outlook for Windows does not show “padding” of <div> as written")
        page.get_by_label("Mail client").select_option(label="Outlook for Windows")
        frame = page.frame_locator("iframe.preview:not([hidden])").locator("body")
        expect(frame).to_contain_text("“padding: 4px” of <div>: the space is lost.")
        faults += dana.find_faults()
        page.get_by_role("button", name="Save template").click()
        expect(page.get_by_text("“By hand” saved.")).to_be_visible()

        assert page.locator("textarea[name=source]").input_value() == MENDED
        assert faults + dana.find_faults() == []
        # The preview of the broken source answers 422, which the browser notes.
        assert [one for one in dana.complaints if "422" not in one] == []
        assert dana.hosts == {portal.url}
