"""Impressions: whoever looks at signatures and banners in the portal causes none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from integrations.models import Mailbox
from signatures.delivery.digest import digest
from signatures.delivery.planning import plan_delivery
from signatures.models import Delivery, SignatureHtml, Template
from signatures.senders.banner_urls import get_click_url, get_image_url
from tests.support.banners import list_events, run_campaign, switch_on
from tests.support.browser_checks import QUIET
from tests.support.deliveries import publish_drafts

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = "/domains/acme.example/"


@pytest.fixture
def page(fresh_serving, live_server, settings, editor: Client) -> Iterator[Page]:
    """A browser in which an editor is signed in, at the portal's public address."""
    settings.PUBLIC_URL = live_server.url
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        context = browser.new_context(base_url=live_server.url)
        name = django_settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": editor.cookies[name].value, "url": live_server.url}])
        yield context.new_page()
        browser.close()


def test_no_page_of_the_portal_causes_an_impression_or_a_click(company, page: Page, live_server):
    switch_on(company.domain)
    banner = run_campaign(company.domain, "red")
    ana, tom = company.add("Ana Silva", title="Account Executive"), company.add("Tom Okafor")
    publish_drafts(company.domain)
    # As another program may have written it: other quotes, no quotes, and the link beside it.
    image, click = get_image_url(ana.banner_key), get_click_url(ana.banner_key)
    held = f"<p>Old</p><a href='{click}'><img src='{image}'></a><IMG SRC={image}?r=dana@example.com>"
    Mailbox.objects.filter(person_remote_id=ana.person.remote_id).update(signature_html=held)
    SignatureHtml.objects.create(domain=company.domain, sha256=digest(held), html=held)
    run = plan_delivery(company.domain, actor="x")
    delivery = Delivery.objects.get(run=run, sender=ana)
    card = Template.objects.get(domain=company.domain, name="Card")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/b/" in request.url else None)

    for path in (
        f"senders/{ana.pk}/",
        f"templates/{card.pk}/",
        f"groups/{ana.group_id}/",
        f"deliveries/{run.pk}/mailboxes/{delivery.pk}/",
        f"signatures/{digest(held)}/",
        "campaigns/",
        f"campaigns/{banner.campaign_id}/",
        f"campaigns/{banner.campaign_id}/preview/?sender={ana.email}",
        f"campaigns/why/?sender={ana.email}",
        "campaigns/place/",
    ):
        page.goto(ADDRESS + path)
        for frame in page.locator("iframe").all():
            frame.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
    page.goto(f"{ADDRESS}deliveries/{run.pk}/mailboxes/{delivery.pk}/")
    page.frame_locator("iframe").first.locator("a").first.click()
    page.wait_for_load_state("networkidle")
    page.goto(image)  # by hand, without the mark of a preview

    assert len([url for url in asked if url.endswith("?preview")]) >= 4
    assert asked[-1] == image
    assert list_events() == []
    Client(headers={"user-agent": "Mozilla/5.0 Firefox"}).get(
        get_image_url(tom.banner_key).removeprefix(live_server.url)
    )
    assert [event["sender_id"] for event in list_events()] == [tom.pk]
