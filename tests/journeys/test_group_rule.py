"""A group for whoever has “VP” in their title: made, previewed, published, and shown on the sender's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, running_portal

pytestmark = pytest.mark.browser

GROUPS = f"/domains/{DOMAIN}/groups/"
PREPARE = """
from integrations.models import SyncRun
from portal.models import Domain
from signatures.releases.publish import publish
from signatures.tasks import follow_sync
domain = Domain.objects.get()
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
publish(domain, actor="dana@acme.example")
"""


def test_whoever_has_vp_in_their_title_gets_a_group_with_a_template_of_its_own(
    migrated: Path, tmp_path: Path, sit_down: Callable[..., Person]
) -> None:
    with running_portal(tmp_path, migrated, people=24) as portal:
        portal.installation.connect(DOMAIN, portal.outreach.issue_tokens())
        for number, user in portal.outreach.get_users().items():
            title = "VP of Sales" if number == 3 else "Seller"
            if user["title"] != title:
                portal.outreach.change("users", number, title=title)
        portal.manage("syncdirectory", "--domain", DOMAIN)
        portal.installation.run(PREPARE)
        with portal.served(tmp_path, "--no-worker"):
            before = portal.outreach.get_signatures()
            person = sit_down(portal.url)
            page = person.log_in()

            page.goto(GROUPS)
            page.get_by_label("New group").fill("Vice presidents")
            page.get_by_role("button", name="Create group").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Members of Vice presidents")
            faults = person.find_faults()
            page.get_by_label("Add condition").select_option("title")
            page.get_by_role("button", name="Add condition").click()
            page.get_by_label(re.compile("^Comparison of ")).select_option(label="contains")
            page.get_by_label(re.compile("^Value of ")).fill("VP")
            page.get_by_role("button", name="Preview who changes group").last.click()
            preview = page.get_by_role("region", name="Preview")
            expect(preview).to_contain_text("1 person, 0 change group")
            expect(preview).to_contain_text("or in one with a higher priority")
            faults += person.find_faults()
            members = page.url
            page.get_by_role("button", name=re.compile("^Save: ")).click()
            phone = sit_down(portal.url, width=390, scheme="dark")
            phone.log_in()
            phone.page.goto(members)
            phone.page.get_by_role("button", name="Preview who changes group").last.click()
            faults += phone.find_faults()

            # Above the groups of teams, with a template of its own.
            page.goto(GROUPS)
            page.get_by_label("New priority of Vice presidents").fill("1")
            page.get_by_role("button", name="Move Vice presidents to this priority").click()
            page.get_by_role("link", name="Vice presidents", exact=True).click()
            expect(page.get_by_role("main")).to_contain_text("contains “VP”")
            choice = page.locator("#id_template")
            own = choice.locator("option").last
            template = (own.text_content() or "").strip()
            choice.select_option(value=own.get_attribute("value"))
            page.get_by_role("button", name=re.compile(f"^Assign {re.escape(template)} to")).click()

            page.goto(f"/domains/{DOMAIN}/releases/")
            page.get_by_role("button", name=re.compile(r"^Publish\s+release 2")).click()
            expect(page.get_by_role("button", name=re.compile("^Deliver to "))).to_be_visible()
            page.goto(f"{GROUPS}")
            page.get_by_role("link", name="Vice presidents", exact=True).click()
            row = page.locator("table.cards tbody tr").filter(has_text="VP of Sales").first
            expect(row).to_contain_text(template)
            row.get_by_role("link").click()
            expect(page.get_by_role("main")).to_contain_text("Vice presidents")
            assert portal.outreach.get_signatures() == before
    assert (faults, person.complaints, phone.complaints) == ([], [], [])
