"""Every page of the three apps, with a company that was read and delivered to, as a person meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from tests.support.browser_person import Person
from tests.support.portal_process import DOMAIN, Portal, running_portal

pytestmark = pytest.mark.browser

APPS = {"portal", "integrations", "signatures"}
# What a person reaches by following links from the first page; a page more or less shows here.
PAGES = {
    "portal:home", "portal:overview", "portal:settings", "portal:sign_in", "portal:sign_in_oidc", "portal:sign_in_saml",
    "portal:members", "portal:member",
    "portal:integrations", "integrations:outreach", "integrations:outreach_disconnect", "integrations:outreach_proof",
    "integrations:outreach_assumptions",
    "integrations:outreach_request", "integrations:outreach_switch", "integrations:runs", "integrations:run",
    "integrations:ledger", "integrations:ledger_calls", "integrations:ledger_scope", "integrations:audit",
    "portal:status", "portal:self_service", "integrations:notices",
    "signatures:fields", "signatures:field", "signatures:overrides", "signatures:media",
    "signatures:value_imports", "signatures:value_export", "signatures:group_checks",
    "signatures:senders",
    "signatures:sender", "signatures:groups", "signatures:group", "signatures:templates",
    "signatures:template_new", "signatures:template", "signatures:brand", "signatures:group_brand",
    "signatures:group_values",
    "signatures:deliveries",
    "signatures:delivery_run", "signatures:delivery_preview",
    "signatures:delivery_people", "signatures:delivery_settings", "signatures:results", "signatures:result",
    "signatures:result_senders", "signatures:result_carriers", "signatures:counting",
    "signatures:campaigns", "signatures:campaign_new",
    "signatures:campaign", "signatures:campaign_change", "signatures:campaign_audience",
    "signatures:campaign_preview", "signatures:banner_new", "signatures:banner", "signatures:banner_place",
    "signatures:recipient_lists", "signatures:recipient_list", "signatures:labels", "signatures:label",
    "signatures:why", "signatures:recipients", "signatures:variable", "signatures:person",
    "signatures:retention",
    "signatures:releases", "signatures:release", "signatures:release_history", "signatures:release_people",
    "signatures:release_person", "signatures:release_discard", "signatures:restore_plan", "signatures:kept_text",
    "signatures:drift", "signatures:left_alone",
}  # fmt: skip
Scheme = Literal["light", "dark"]
DOWNLOADS = {
    "integrations:outreach_assumptions_report",
    "portal:status_json",
    "signatures:api_document",
    "signatures:delivery_export",
    "signatures:originals",
    "signatures:results_export",
    "signatures:result_export",
    "signatures:carriers_export",
}

FOLLOW = """
from integrations.models import SyncRun
from signatures.tasks import follow_sync
follow_sync(run_id=SyncRun.objects.latest("pk").pk)
"""
PUBLISH = """
from portal.models import Domain
from signatures.releases.publish import publish
publish(Domain.objects.get(), actor="dana@acme.example")
"""
# A draft since, so that the pages of what is not published have something to show.
EDIT = """
from portal.models import Domain
from signatures.models import Brand
brand, _ = Brand.objects.get_or_create(domain=Domain.objects.get())
brand.legal = "Registered in Arizona."
brand.save()
"""
# Two banners that were fetched and clicked in one sender's signature, by visitors and by a scanner.
SHOW = """
from datetime import timedelta
from django.utils import timezone
from portal.models import Domain
from signatures.models import Banner, BannerEvent, BannerImage, Campaign, Sender
from signatures.analytics.aggregation import aggregate_events
domain = Domain.objects.get()
campaign = Campaign.objects.create(domain=domain, name="Autumn webinar")
image = BannerImage.objects.create(domain=domain, sha256="0", media_type="image/png", width=480, height=120,
    bytes_1x=b"1", bytes_2x=b"2")
sender = Sender.objects.filter(domain=domain, is_active=True).first()
for name in ("Blue", "Photo"):
    banner = Banner.objects.create(campaign=campaign, name=name, image=image, alt=name, link="https://www.acme.example/")
    for number, agent in enumerate(["Mail", "Mail", "Mail", "curl/8"]):
        for kind, seconds in (("image", 0), ("click", 60)):
            BannerEvent.objects.create(domain=domain, kind=kind, agent=agent, visitor_key=f"{name}{number}",
                at=timezone.now() - timedelta(hours=1 + number, seconds=-seconds), sender_id=sender.pk,
                group_id=sender.group_id, campaign_id=campaign.pk, banner_id=banner.pk)
aggregate_events(domain)
"""


RUN_CAMPAIGNS = """
from io import BytesIO
from django.utils import timezone
from PIL import Image
from portal.models import Domain
from signatures.campaigns.banners import BannerDetails, PlaceDetails, change_place, save_banner
from signatures.campaigns.editing import Details, create_campaign, set_audience, start_campaign
from signatures.audiences.labels import save_label
from signatures.audiences.lists import save_list
def draw(colour):
    file = BytesIO()
    Image.new("RGB", (960, 240), colour).save(file, "PNG")
    file.seek(0)
    return file
domain, by = Domain.objects.get(), "dana@acme.example"
change_place(domain, PlaceDetails(True, 480, 120), upload=draw("gray"), actor=by)
save_list(domain, BytesIO(b"globex.example"), name="Partners", actor=by)
save_label(domain, kind="stage", key="3", label="Customer", actor=by)
for name, priority in (("Spring webinar", 5), ("Always on", 0)):
    campaign = create_campaign(domain, Details(name, timezone.now(), priority=priority), actor=by)
    details = BannerDetails(name, name, "https://www.acme.example/")
    save_banner(campaign, details, upload=draw("navy"), actor=by)
    start_campaign(campaign, actor=by)
set_audience(campaign, [{"attribute": "stage", "operator": "is", "values": ["3", "4"]}], actor=by)
"""


@pytest.fixture(scope="module")
def portal(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A company of 24, read and delivered to, with campaigns that run, and no worker that changes a page."""
    folder = tmp_path_factory.mktemp("look")
    with running_portal(folder, migrated, people=24) as made:
        made.installation.connect(DOMAIN, made.outreach.issue_tokens())
        made.manage("syncdirectory", "--domain", DOMAIN)
        made.installation.run(FOLLOW)
        made.installation.run(RUN_CAMPAIGNS)
        made.installation.run(PUBLISH)
        made.manage("deliversignatures", "--domain", DOMAIN)
        made.installation.run(EDIT)
        made.installation.run(SHOW)
        with made.served(folder, "--no-worker"):
            yield made


def list_views(person: Person) -> dict[str, str]:
    """The views of ours that the page links to, each with its first address."""
    found: dict[str, str] = {}
    # Not `link.href`: that of a link within a drawing is no text.
    whole = "links => links.map(link => new URL(link.getAttribute('href'), document.baseURI).href)"
    links: list[str] = person.page.eval_on_selector_all("a[href]", whole)
    for link in links:
        if not link.startswith(person.url):
            continue
        match = resolve(urlsplit(link).path)
        if match.namespace in APPS and match.view_name not in DOWNLOADS:
            found.setdefault(match.view_name, link)
    return found


def look(person: Person, whole: Scheme, colours: Scheme) -> list[str]:
    """What is wrong with the page in front of the person: all of it in one scheme, the colours in the other.

    The structure is the same in both schemes; the colours are not.
    """
    faults = []
    for scheme, rules in ((whole, ()), (colours, ("color-contrast",))):
        person.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        faults += [f"{scheme}: {fault}" for fault in person.find_faults(*rules)]
    return faults


@pytest.mark.parametrize(
    ("width", "whole", "colours"), [(1280, "light", "dark"), (390, "dark", "light")], ids=["wide", "phone"]
)
def test_every_page_in_both_schemes_has_no_fault(
    portal: Portal, sit_down: Callable[..., Person], width: int, whole: Scheme, colours: Scheme
) -> None:
    person = sit_down(portal.url, width=width)
    person.log_in()
    faults = []
    waiting, seen = {"portal:home": portal.url + "/"}, set()

    while waiting:
        name, address = waiting.popitem()
        seen.add(name)
        response = person.page.goto(address)
        if response is None or response.status != 200:
            faults.append(f"{address}: no page")
        faults += look(person, whole, colours)
        waiting |= {name: link for name, link in list_views(person).items() if name not in seen}

    assert faults == []
    assert person.complaints == []
    assert seen == PAGES
