"""An editor's change stays a draft, an approver publishes it, its plan is started, and last month's is found again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, running_portal

pytestmark = pytest.mark.browser

EDITOR, APPROVER = "lena@acme.example", "ruth@acme.example"
LINE = "Registered in Arizona."
# The first release is everywhere, and two colleagues have accounts.
PREPARE = """
from integrations.models import SyncRun
from portal.models import Domain, Membership, User
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery
from signatures.releases.publish import publish
from signatures.tasks import follow_sync
domain = Domain.objects.get()
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
publish(domain, actor="dana@acme.example")
run = plan_delivery(domain, actor="dana@acme.example")
start_delivery(run, actor="dana@acme.example")
carry_out(run.pk)
for email, role in (("lena@acme.example", "editor"), ("ruth@acme.example", "approver")):
    user = User.objects.create_user(email, "correct horse battery")
    user.emailaddress_set.create(email=email, verified=True, primary=True)
    Membership.objects.create(domain=domain, user=user, role=role)
"""

CARRY_OUT = """
from signatures.models import DeliveryRun
from signatures.tasks import deliver_signatures
deliver_signatures(run_id=DeliveryRun.objects.latest("pk").pk)
"""


def test_a_change_is_drafted_published_and_delivered_and_last_months_release_is_found_again(
    migrated: Path, tmp_path: Path, sit_down: Callable[..., Person]
) -> None:
    with running_portal(tmp_path, migrated, people=24) as portal:
        portal.installation.connect(DOMAIN, portal.outreach.issue_tokens())
        portal.manage("syncdirectory", "--domain", DOMAIN)
        portal.installation.run(PREPARE)
        with portal.served(tmp_path, "--no-worker"):
            first = portal.outreach.get_signatures()

            lena = sit_down(portal.url)
            page = lena.log_in(EDITOR)
            page.goto(f"/domains/{DOMAIN}/brand/")
            page.get_by_label("Disclaimer").fill(LINE)
            page.get_by_role("button", name=re.compile("Save")).click()
            page.get_by_role("status").get_by_role("link", name="Unpublished changes").click()
            expect(page.locator(".changes ins")).to_have_text(LINE)
            expect(page.get_by_text("Ask one of them.")).to_be_visible()
            expect(page.get_by_role("button", name=re.compile("Publish"))).to_have_count(0)
            faults = lena.find_faults()
            assert portal.outreach.get_signatures() == first

            ruth = sit_down(portal.url, width=390)
            page = ruth.log_in(APPROVER)
            page.goto(f"/domains/{DOMAIN}/releases/")
            faults += ruth.find_faults()
            tick = page.get_by_role("checkbox", name="Include brand Brand settings")
            tick.uncheck()
            expect(page.get_by_text("Left out", exact=True)).to_be_visible()
            tick.check()
            expect(page.get_by_text("1 of 1 included")).to_be_visible()
            page.get_by_label("Note").fill("Disclaimer")
            publish = page.get_by_role("button", name=re.compile(r"Publish\s+release 2 to \d+ mailboxes"))
            promised = int(re.findall(r"\d+", publish.inner_text())[1])
            publish.click()
            start = page.get_by_role("button", name=re.compile(rf"Deliver to {promised} mailboxes"))
            expect(start).to_be_visible()
            assert portal.outreach.get_signatures() == first
            start.click()
            expect(page.locator(".head .badge")).to_have_text("Queued")
            portal.installation.run(CARRY_OUT)
            second = portal.outreach.get_signatures()
            changed = [key for key in first if second[key] != first[key]]
            assert len(changed) == 5 < promised  # the first stage
            assert all(LINE in (second[key] or "") and LINE not in (first[key] or "") for key in changed)

            last_month = datetime.now(UTC) - timedelta(days=30)
            then = f"{last_month:%Y-%m-%d %H:%M:%S}"
            portal.installation.rows("UPDATE signatures_release SET published_at = ? WHERE number = 1", then)
            portal.installation.rows(
                "UPDATE signatures_delivery SET finished_at = ? "
                "WHERE run_id = (SELECT min(id) FROM signatures_deliveryrun)",
                then,
            )
            page = lena.page
            page.goto(f"/domains/{DOMAIN}/senders/?q=Ingrid")
            page.get_by_role("link", name="Ingrid Solberg").first.click()
            faults += lena.find_faults()
            page.get_by_label("Date").fill(f"{last_month + timedelta(days=3):%Y-%m-%d}")
            page.get_by_role("button", name="Show", exact=True).click()
            answer = page.locator("#on")
            expect(answer.get_by_role("link", name="Release 1")).to_be_visible()
            expect(answer.get_by_text("started by dana@acme.example")).to_be_visible()
            answer.get_by_role("link", name="Show the signature").click()
            frame = page.frame_locator("iframe.preview")
            expect(frame.get_by_text("Ingrid Solberg").first).to_be_visible()
            expect(frame.get_by_text(LINE)).to_have_count(0)

            assert faults == []
            assert lena.complaints == [] and ruth.complaints == []
