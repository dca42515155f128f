"""The main job as a person does it in a browser, with the processes that do it in production."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.browser_person import Person
from tests.support.installation import wait_until
from tests.support.portal_process import DOMAIN, OWNER, Portal, running_portal

pytestmark = pytest.mark.browser

SCOPES = ["users.all", "teams.read", "mailboxes.all", "prospects.read"]
CONSENT = f"/manage/domains/{DOMAIN}/integrations/outreach/"
SYNC_SCHEDULE = "sync what changed"

# Every scheduled job at once, and what a person could still press: none of it may leave the process.
WAKE_EVERYTHING = """
from django.utils.module_loading import import_string
from portal.worker.schedules import SCHEDULES
for schedule in SCHEDULES:
    import_string(schedule.task)()
print("woken")
"""


@pytest.fixture
def portal(migrated: Path, tmp_path: Path) -> Iterator[Portal]:
    with running_portal(tmp_path, migrated, people=24) as made, made.served(tmp_path):
        yield made


def queue_is_empty(portal: Portal) -> bool:
    return portal.installation.rows("SELECT count(*) FROM django_q_ormq") == [(0,)]


def wake_schedule(portal: Portal, name: str) -> None:
    """The schedule is due now instead of in some minutes."""
    portal.installation.rows(
        "UPDATE django_q_schedule SET next_run = datetime('now', '-1 second') WHERE name = ?", name
    )


def test_the_main_job_in_a_browser_from_login_to_not_one_request(
    portal: Portal, sit_down: Callable[..., Person]
) -> None:
    outreach = portal.outreach
    originals = outreach.get_signatures()
    person = sit_down(portal.url)
    page = person.log_in()
    faults = person.find_faults()

    # The four scopes are explained before anything is asked of Outreach.
    page.get_by_role("link", name="Integrations", exact=True).click()
    page.get_by_role("link", name="Read the permissions and connect").click()
    expect(page).to_have_url(portal.url + CONSENT)
    assert page.locator("li.scope .name code").all_inner_texts() == SCOPES
    for scope in page.locator("li.scope").all():
        assert scope.locator("dt").all_inner_texts()[:3] == [
            "What it opens",
            "Why we ask",
            "The calls it is used for",
        ]
    faults += person.find_faults()
    assert outreach.list_requests() == []

    # Connect, by keyboard alone: our page, Outreach's page, and back.
    person.press_by_keyboard("Connect Outreach")
    assert page.url.startswith(outreach.url + "/oauth/authorize")
    person.press_by_keyboard("Allow")
    expect(page).to_have_url(portal.url + CONSENT)
    expect(page.get_by_text("Connected. Read your directory next")).to_be_visible()
    faults += person.find_faults()

    # The first reading, followed to its end.
    page.get_by_role("button", name="Sync now").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"Sync \d+"))).to_be_visible()
    expect(page.get_by_role("button", name="Sync again")).to_be_visible(timeout=30_000)
    expect(page.locator("#run-progress")).to_contain_text("24 read")
    faults += person.find_faults()

    # Each team became a group, and nobody is in none.
    def count_groups() -> int:
        page.goto(f"/domains/{DOMAIN}/groups/")
        return page.locator("tbody tr").count()

    wait_until(lambda: count_groups() == 5, what="four teams to become groups, beside the default group")
    assert sum(map(int, page.locator("tbody tr td.num:nth-child(3)").all_inner_texts())) == 24
    faults += person.find_faults()

    # Publish, to everybody at once: a release is live, and still no mailbox has it.
    page.goto(f"/domains/{DOMAIN}/releases/")
    faults += person.find_faults()
    for stage in page.locator(".stages input").all():
        stage.fill("")
    publish = page.get_by_role("button", name=re.compile(r"Publish\s+release 1 to \d+ mailboxes"))
    announced = int(re.findall(r"\d+", publish.inner_text())[1])
    publish.click()
    expect(page.get_by_text("Release 1 is live. No mailbox has it yet")).to_be_visible()
    plan = page.url
    faults += person.find_faults()

    # Preview: what the frame shows is what the mailbox will hold.
    page.goto(f"/domains/{DOMAIN}/senders/")
    page.get_by_role("link", name="Ingrid Solberg").first.click()
    expect(page.frame_locator("iframe.preview").get_by_text("Director of Revenue Operations")).to_be_visible()
    faults += person.find_faults()

    # Deliver: the plan first, then the button that says to how many.
    page.goto(f"/domains/{DOMAIN}/deliveries/")
    faults += person.find_faults()
    page.goto(plan)
    start = page.get_by_role("button", name=re.compile(r"Deliver to \d+ mailboxes"))
    expect(start).to_be_visible(timeout=30_000)
    assert outreach.get_signatures() == originals
    faults += person.find_faults()
    promised = int(re.sub(r"\D", "", start.inner_text()))
    assert promised == announced
    start.click()
    expect(page.locator(".head .badge")).to_have_text("Complete", timeout=30_000)
    expect(page.get_by_text(f"{promised} of {promised}")).to_be_visible()
    faults += person.find_faults()
    delivered = outreach.get_signatures()
    assert len([key for key in originals if delivered[key] != originals[key]]) == promised
    (ingrid,) = [user for user in outreach.get_users().values() if user["first_name"] == "Ingrid"]
    hers = ingrid["mailbox_ids"][0]
    assert delivered[hers] == portal.manage(
        "previewsignature", "--domain", DOMAIN, "--sender", ingrid["email"]
    ).removesuffix("\n")

    # A title changes in Outreach; nobody clicks, and it reaches that mailbox and no other.
    outreach.change("users", ingrid["id"], title="Chief Revenue Officer")
    seen = len(outreach.list_requests())
    wake_schedule(portal, SYNC_SCHEDULE)
    wait_until(
        lambda: "Chief Revenue Officer" in outreach.get_signatures()[hers],
        seconds=75,
        what="the worker to bring the new title to the mailbox",
    )
    now_held = outreach.get_signatures()
    assert [key for key in now_held if now_held[key] != delivered[key]] == ingrid["mailbox_ids"]
    writes = [one for one in outreach.list_requests()[seen:] if one["method"] != "GET"]
    assert [one["path"] for one in writes] == [f"/api/v2/mailboxes/{key}" for key in ingrid["mailbox_ids"]]
    wait_until(lambda: queue_is_empty(portal), what="the worker to be done")

    # Restore and disconnect: byte for byte what was there, and the tokens gone on both sides.
    page.goto(CONSENT)
    page.get_by_role("link", name="Disconnect…").click()
    faults += person.find_faults()
    page.get_by_label("Type the domain’s name").fill(DOMAIN)
    page.get_by_role("button", name=f"Restore {promised} mailboxes and disconnect").click()
    expect(page.get_by_text("confirmed by Outreach", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"{promised} of {promised} mailboxes restored")).to_be_visible()
    faults += person.find_faults()
    assert outreach.get_signatures() == originals
    assert outreach.live_refresh_tokens == 0

    # Afterwards not one request, whatever wakes up or is pressed.
    last = len(outreach.list_requests())
    assert portal.installation.run(WAKE_EVERYTHING) == "woken"
    for command in ("syncdirectory", "deliversignatures", "checkconnection"):
        assert portal.installation.manage(command, "--domain", DOMAIN).returncode != 0
    wait_until(lambda: queue_is_empty(portal), what="the worker to have taken every task")
    page.goto(f"/domains/{DOMAIN}/deliveries/")
    assert outreach.list_requests()[last:] == []

    assert faults == []
    assert person.complaints == []
    assert person.hosts == {portal.url, outreach.url}
    assert portal.installation.rows("SELECT email FROM portal_user") == [(OWNER,)]


def test_saying_no_in_outreach_leads_to_what_to_do_next_and_stores_nothing_on_a_phone(
    portal: Portal, sit_down: Callable[..., Person]
) -> None:
    person = sit_down(portal.url, width=390, scheme="dark")
    page = person.log_in()
    page.goto(CONSENT)
    faults = person.find_faults()

    person.press_by_keyboard("Connect Outreach")
    page.get_by_role("button", name="Deny").click()

    expect(page.get_by_role("heading", name="Outreach was not connected")).to_be_visible()
    expect(page.get_by_text("did not allow the connection")).to_be_visible()
    expect(page.get_by_text("Connect again when you are ready. Nothing was changed.")).to_be_visible()
    faults += person.find_faults()
    assert portal.installation.rows("SELECT count(*) FROM integrations_connection") == [(0,)]
    assert [one["path"] for one in portal.outreach.list_requests() if one["path"].startswith("/api")] == []

    # The page leads back to the permissions, and a second thought works.
    page.get_by_role("link", name="Back to permissions").click()
    page.get_by_role("button", name="Connect Outreach").click()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("Connected. Read your directory next")).to_be_visible()
    faults += person.find_faults()
    page.get_by_role("button", name="Sync now").first.click()
    expect(page.get_by_role("button", name="Sync again")).to_be_visible(timeout=30_000)
    faults += person.find_faults()
    assert faults == []
    assert [line for line in person.complaints if "400 (Bad Request)" not in line] == []
