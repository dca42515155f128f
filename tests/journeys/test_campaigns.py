"""Campaigns as a marketer runs them in a browser: made, targeted, looked at as recipients see them, and explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import requests
from PIL import Image
from playwright.sync_api import FilePayload, expect

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, Portal, running_portal

pytestmark = pytest.mark.browser

CAMPAIGNS = f"/domains/{DOMAIN}/campaigns/"
TAG = "enterprise-tier"

FOLLOW = """
from integrations.models import SyncRun
from signatures.tasks import follow_sync
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
"""


MAKE_KEY = """
from portal.models import Domain
from signatures.decisions.api_keys import make_key
print(make_key(Domain.objects.get(), "Gateway", actor="dana@acme.example").text)
"""
# The scheduled jobs that take events in and count them, as they run some minutes later.
COUNT = """
from datetime import timedelta
from django.utils import timezone
from signatures.analytics.aggregation import aggregate_all_events
from signatures.tasks import take_in_banner_events
take_in_banner_events()
print(aggregate_all_events(now=timezone.now() + timedelta(hours=1)))
"""
READER = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
}


@pytest.fixture
def portal(migrated: Path, tmp_path: Path) -> Iterator[Portal]:
    """A company whose directory was read, and two prospects who differ in a tag."""
    with running_portal(tmp_path, migrated, people=24) as made:
        made.installation.connect(DOMAIN, made.outreach.issue_tokens())
        made.manage("syncdirectory", "--domain", DOMAIN)
        made.installation.run(FOLLOW)
        first, second = made.outreach.list_prospects()[:2]
        made.outreach.change("prospects", first["id"], tags=["emea", TAG])
        made.outreach.change("prospects", second["id"], tags=["apac"])
        with made.served(tmp_path, "--no-worker"):
            yield made


def make_picture(colour: str) -> FilePayload:
    file = BytesIO()
    Image.new("RGB", (960, 240), colour).save(file, "PNG")
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def test_a_campaign_from_its_making_to_why_each_recipient_sees_what(
    portal: Portal, sit_down: Callable[..., Person]
) -> None:
    hers, his = (prospect["emails"][0] for prospect in portal.outreach.list_prospects()[:2])
    person = sit_down(portal.url)
    page = person.log_in()

    # The place for banners is turned on, with a picture of its own.
    page.goto(CAMPAIGNS)
    faults = person.find_faults()
    page.get_by_role("link", name="Banner settings").click()
    page.get_by_label("Banner slot on").check()
    page.locator("#id_picture").set_input_files(make_picture("gray"))
    page.get_by_role("button", name="Save banner settings").click()
    expect(page.get_by_text("Banner settings saved.")).to_be_visible()
    faults += person.find_faults()

    # A campaign: its time and UTM parameters first.
    page.goto(CAMPAIGNS)
    page.get_by_role("link", name="Create the first campaign").click()
    page.get_by_label("Name", exact=True).fill("Spring webinar")
    page.get_by_label("Starts").fill("2026-01-01T09:00")
    page.get_by_label("utm_campaign").fill("spring")
    faults += person.find_faults()
    page.get_by_role("button", name="Create campaign").click()
    expect(page.get_by_text("“Spring webinar” created, paused.")).to_be_visible()
    faults += person.find_faults()

    # Two banners; the final address is shown while the link is typed.
    for name in ("Blue", "Green"):
        page.get_by_role("link", name="Add a banner").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Image", exact=True).set_input_files(make_picture(name.lower()))
        page.get_by_label("Alt text").fill(f"{name}: join our webinar")
        page.get_by_label("Link", exact=True).fill("https://www.acme.example/webinar?ref=mail")
        page.get_by_label("utm_content").fill(name.lower())
        expect(page.locator("#destination")).to_contain_text(
            "?ref=mail&utm_source=outreach&utm_medium=email-signature&utm_campaign=spring"
            f"&utm_content={name.lower()}"
        )
        faults += person.find_faults()
        page.get_by_role("button", name="Add banner").click()
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    # The audience: prospects with a tag, read back as a sentence.
    page.get_by_role("link", name="Choose", exact=True).click()
    page.get_by_label("Add condition").select_option("Tags")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_label("Value of Tags").fill(TAG)
    page.get_by_label("Add condition").select_option("Region")
    page.get_by_role("button", name="Add condition").click()
    page.get_by_role("button", name="Remove the condition on Region").click()
    expect(page.locator("fieldset.condition")).to_have_count(1)
    page.get_by_role("button", name="Update summary").click()
    expect(page.locator("#audience .note p")).to_have_text(f"Tags has any of “{TAG}”.")
    faults += person.find_faults()
    page.get_by_role("button", name="Save audience").click()
    expect(page.get_by_text(f"Tags has any of “{TAG}”")).to_be_visible()
    page.get_by_role("button", name="Start campaign").click()

    # The linter says what an audience needs; the timeline has the bar and today's line.
    expect(page.locator("main li:not(.note)", has_text="recipients are unknown")).to_be_visible()
    faults += person.find_faults()
    page.goto(CAMPAIGNS)
    expect(page.locator(".timeline rect.stretch.blocked")).to_have_count(1)
    expect(page.locator(".timeline line.now")).to_have_count(1)
    faults += person.find_faults()

    # As three recipients see it: one with the tag, one without, and nobody known.
    page.get_by_role("link", name="Spring webinar", exact=True).first.click()
    page.get_by_role("link", name="Preview").click()
    page.get_by_label("Recipient 1").fill(hers)
    page.get_by_label("Recipient 2").fill(his)
    page.get_by_role("button", name="Preview").click()
    cards = page.locator("section.sheet", has=page.locator("header .badge"))
    expect(cards).to_have_count(3)
    assert [card.locator("header .badge").inner_text() for card in cards.all()] == [
        "This campaign",
        "No campaign",
        "No campaign",
    ]
    assert all(card.locator("img").evaluate("image => image.naturalWidth") == 960 for card in cards.all())
    faults += person.find_faults()

    # Why: each campaign's verdict and each condition's answer, and the address in no address bar.
    page.goto(f"{CAMPAIGNS}why/")
    page.get_by_label("Sender").fill(page.locator("#senders option").first.get_attribute("value") or "")
    page.get_by_label("Recipient (optional)").fill(his)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".verdicts")).to_contain_text("The recipient is not in its audience.")
    expect(page.locator(".verdicts .no")).to_have_text("No match")
    assert his not in page.url
    faults += person.find_faults()

    # A gateway asks for one of them; the picture is fetched, the link followed, and the counts move.
    sender = page.locator("#senders option").first.get_attribute("value")
    answer = requests.post(
        f"{portal.url}/api/v1/decisions",
        json={"sender": sender, "recipient": hers},
        headers={"Authorization": f"Bearer {portal.installation.run(MAKE_KEY)}"},
        timeout=20,
    )
    shown = answer.json()["banner"]
    assert requests.get(shown["image_url"], headers=READER, timeout=20).headers["Content-Type"] == "image/png"
    click = requests.get(shown["click_url"], headers=READER, timeout=20, allow_redirects=False)
    assert click.headers["Location"].startswith(
        "https://www.acme.example/webinar?ref=mail&utm_source=outreach"
    )
    assert portal.installation.run(COUNT) == "2"
    page.goto(CAMPAIGNS)
    page.get_by_role("link", name="Spring webinar", exact=True).first.click()
    page.get_by_role("link", name="Results", exact=True).last.click()
    expect(page.get_by_role("heading", name="Spring webinar")).to_be_visible()
    banners = page.locator("section", has=page.get_by_role("heading", name="Banners")).locator("tbody tr")
    counts = [[int(cell) for cell in row.locator("td").all_inner_texts()[1:5]] for row in banners.all()]
    pictures, clicks, _, clicks_apart = map(sum, zip(*counts, strict=True))
    # A click less than two seconds after its picture counts as bot traffic: no person is that quick.
    assert (pictures, clicks + clicks_apart) == (1, 1)
    faults += person.find_faults()

    # Each address was asked about once, and nothing but prospects was.
    asked = [one for one in portal.outreach.list_requests() if "/prospects" in one["path"]]
    assert {one["method"] for one in asked} == {"GET"}
    assert faults == []
    assert person.complaints == []
