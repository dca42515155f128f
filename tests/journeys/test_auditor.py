"""An auditor finds out whether anything but signatures was ever written, by whom, and takes the proof away."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from integrations.ledger.digests import digest_entry
from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, OWNER, running_portal

pytestmark = pytest.mark.browser

AUDITOR = "ines@audit.example"
# The owner's release and its delivery, and somebody who may look at what it did.
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
user = User.objects.create_user("ines@audit.example", "correct horse battery")
user.emailaddress_set.create(email=user.email, verified=True, primary=True)
Membership.objects.create(domain=domain, user=user, role="auditor")
"""


def take(page: Page, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read("entries.jsonl").splitlines()]


def test_an_auditor_finds_out_in_three_clicks_who_wrote_what_and_takes_the_proof_away(
    migrated: Path, tmp_path: Path, sit_down: Callable[..., Person]
) -> None:
    with running_portal(tmp_path, migrated, people=24) as portal:
        portal.installation.connect(DOMAIN, portal.outreach.issue_tokens())
        portal.manage("syncdirectory", "--domain", DOMAIN)
        portal.installation.run(PREPARE)
        writes = [one for one in portal.outreach.list_requests() if one["method"] == "PATCH"]
        with portal.served(tmp_path, "--no-worker"):
            auditor = sit_down(portal.url)
            page = auditor.log_in(AUDITOR)
            expect(page.get_by_role("heading", level=1)).to_be_visible()

            # One click: was anything but signatures ever written?
            page.get_by_role("link", name="Scope ledger").click()
            written = page.locator("#written")
            expect(written).to_contain_text(
                f"Nothing but emailSignature was ever written: {len(writes)} times, by those below."
            )
            cells = written.get_by_role("row").nth(1).get_by_role("cell")
            assert [cells.nth(place).inner_text().split() for place in range(4)] == [
                [OWNER, "delivery"], ["write"], ["emailSignature"], [str(len(writes))]
            ]  # fmt: skip
            # Two: each of them, one by one.
            page.get_by_role("link", name="See every write").click()
            entries = page.locator("#entries")
            expect(entries.get_by_role("navigation", name="Pages")).to_have_text(f"{len(writes)} entries")
            head = page.locator("#chain .mono").nth(0).inner_text()
            some = take(page, "JSON Lines", tmp_path / "some")
            # Three: what made them.
            page.locator("#entries").get_by_role("link", name="delivery 1").first.click()
            expect(page.get_by_role("heading", level=1)).to_contain_text("elivery")

            page.goto(f"/domains/{DOMAIN}/ledger/")
            key = page.locator("#chain .mono").nth(1).inner_text()  # there since the first signature
            every = take(page, "JSON Lines", tmp_path / "all")
            assert auditor.complaints == []
            assert auditor.hosts == {portal.url}
        said = portal.manage("verifyexport", str(every), "--key", key).splitlines()
        noted = portal.manage("verifyledger", "--domain", DOMAIN, "--head", head)

    assert said[-1] == "They are the whole chain up to that head."
    assert noted.startswith(f"{DOMAIN}: intact, ")
    sent = sorted(one["path"].rpartition("/")[2] for one in writes)
    assert sorted(line["object_ref"] for line in read(some)) == sent
    lines = read(every)
    assert [digest_entry(line) for line in lines] == [line["digest"] for line in lines]
    assert {(line["actor_label"], *line["fields"]) for line in lines if line["verb"] == "write"} == {
        (OWNER, "emailSignature")
    }
    assert lines[-1]["action"] == "ledger exported"
    assert lines[-1]["detail"].startswith("Verb: write, as JSON Lines")
