"""A release is asked for, sent back, asked for again, approved, and rolled back, each time by two people."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, running_portal

pytestmark = pytest.mark.browser

EDITOR, APPROVER, ADMIN = "lena@acme.example", "ruth@acme.example", "adam@acme.example"
PREPARE = """
from integrations.models import SyncRun
from portal.models import Domain, Membership, User
from signatures.models import DeliverySettings
from signatures.releases.publish import publish
from signatures.tasks import follow_sync
domain = Domain.objects.get()
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
publish(domain, actor="dana@acme.example")
DeliverySettings.objects.create(domain=domain, requires_approval=True)
for email, role in (("lena@acme.example", "editor"), ("ruth@acme.example", "approver"), ("adam@acme.example", "admin")):
    user = User.objects.create_user(email, "correct horse battery")
    user.emailaddress_set.create(email=email, verified=True, primary=True)
    Membership.objects.create(domain=domain, user=user, role=role)
"""


def save_disclaimer(page: Page, words: str) -> None:
    page.goto(f"/domains/{DOMAIN}/brand/")
    page.get_by_label("Disclaimer").fill(words)
    page.get_by_role("button", name=re.compile("Save")).click()


def ask(page: Page, note: str) -> None:
    page.goto(f"/domains/{DOMAIN}/releases/")
    page.get_by_label("Note").fill(note)
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.locator(".head .badge")).to_have_text("Waiting for approval")


def open_request(page: Page) -> None:
    page.goto(f"/domains/{DOMAIN}/releases/")
    page.get_by_role("link", name=re.compile("Request")).last.click()


def get_live(page: Page) -> str:
    page.goto(f"/domains/{DOMAIN}/releases/")
    return page.get_by_role("heading", name=re.compile("Live: release")).inner_text()


def test_a_release_is_sent_back_approved_and_rolled_back(
    migrated: Path, tmp_path: Path, sit_down: Callable[..., Person]
) -> None:
    with running_portal(tmp_path, migrated, people=12) as portal:
        portal.installation.connect(DOMAIN, portal.outreach.issue_tokens())
        portal.manage("syncdirectory", "--domain", DOMAIN)
        portal.installation.run(PREPARE)
        with portal.served(tmp_path, "--no-worker"):
            lena, ruth, adam = (
                sit_down(portal.url),
                sit_down(portal.url, width=390),
                sit_down(portal.url, scheme="dark"),
            )
            asking, deciding, third = lena.log_in(EDITOR), ruth.log_in(APPROVER), adam.log_in(ADMIN)
            save_disclaimer(asking, "Registered in Arizonna.")
            ask(asking, "Disclaimer")
            faults = lena.find_faults()
            expect(asking.get_by_role("button", name=re.compile("Approve"))).to_have_count(0)

            open_request(deciding)
            faults += ruth.find_faults()
            deciding.get_by_label("What has to change").fill("One n in Arizona.")
            deciding.get_by_role("button", name="Send back").click()
            expect(deciding.get_by_text("is sent back to lena@acme.example")).to_be_visible()
            asking.reload()
            expect(asking.get_by_text("One n in Arizona.")).to_be_visible()
            faults += lena.find_faults()
            assert get_live(deciding) == "Live: release 1"

            save_disclaimer(asking, "Registered in Arizona.")
            ask(asking, "Disclaimer, corrected")
            open_request(deciding)
            expect(deciding.locator(".changes ins")).to_have_text("Registered in Arizona.")
            deciding.get_by_role("button", name=re.compile("Approve")).click()
            expect(deciding.get_by_text("Release 2 is live.")).to_be_visible()
            assert get_live(deciding) == "Live: release 2"

            deciding.goto(f"/domains/{DOMAIN}/releases/1/")
            deciding.get_by_role("button", name=re.compile("Ask to publish")).click()
            expect(deciding.get_by_text("You asked for it, so somebody else approves it.")).to_be_visible()
            open_request(third)
            faults += adam.find_faults()
            third.get_by_role("button", name=re.compile("Approve")).click()
            expect(third.get_by_text("Release 3 is live.")).to_be_visible()
            assert get_live(third) == "Live: release 3"

            assert faults == []
            assert lena.complaints == [] and ruth.complaints == [] and adam.complaints == []
