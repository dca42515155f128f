"""Sample mails: requests a banner for fictional mails as a mail gateway does, and clicks some.

All requests use the portal's public URLs, so that the results pages show them.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from portal.models import Domain
from signatures.analytics.bot_rules import BURST_SENDERS_OF_NETWORK, RUSH
from signatures.decisions.api_keys import make_key
from signatures.models import Campaign, Decision, Sender

from .browser import Browser
from .sample_campaigns import TAG

# All readers are on this machine: one more sender, and their clicks would pass for a scanner's.
MOST_SENDERS = BURST_SENDERS_OF_NETWORK - 1
MAILS = 24
CLICKED_EVERY = 3
READERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Thunderbird/128.4.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
)
SCANNER = "curl/8.10.1"


@dataclass(frozen=True, slots=True)
class Mails:
    """The outcome. banners: (campaign, mails with a banner of it), most first; clicks: by recipients."""

    sent: int
    banners: tuple[tuple[str, int], ...]
    clicks: int


def send_mails(domain: Domain, browser: Browser, *, portal_url: str, sandbox_url: str, actor: str) -> Mails:
    """Request banners for sample recipients, half of whom are in the active campaign's audience.

    Takes some seconds.
    """
    senders = list(Sender.objects.filter(domain=domain, is_active=True).order_by("pk")[:MOST_SENDERS])
    recipients = _choose_recipients(browser.read_json(f"{sandbox_url}/_sandbox/prospects"))
    key = make_key(domain, "Mail gateway of the demo", actor=actor)
    seen = []
    for number, recipient in enumerate(recipients):
        at = number % len(senders)
        answer = browser.ask(
            portal_url + reverse("signatures:api_decisions"),
            {"sender": senders[at].email, "recipient": recipient},
            bearer=key.text,
        )
        if answer["banner"]:
            browser.fetch(answer["banner"]["image_url_2x"], agent=READERS[at % len(READERS)])
            seen.append((answer["banner"], READERS[at % len(READERS)]))
    for banner, _ in seen[:2]:
        browser.fetch(banner["click_url"], agent=SCANNER)
    time.sleep(RUSH.total_seconds())  # nobody clicks sooner than that but a scanner
    clicked = seen[::CLICKED_EVERY]
    for banner, agent in clicked:
        browser.fetch(banner["click_url"], agent=agent)
    return Mails(len(recipients), _count_banners(domain), len(clicked))


def _choose_recipients(prospects: list[dict[str, Any]]) -> list[str]:
    with_tag: list[str] = []
    without: list[str] = []
    for prospect in prospects:
        if prospect["emails"]:
            (with_tag if TAG in prospect["tags"] else without).append(prospect["emails"][0])
    half = MAILS // 2
    return [address for pair in zip(with_tag[:half], without[:half], strict=False) for address in pair]


def _count_banners(domain: Domain) -> tuple[tuple[str, int], ...]:
    names = dict(Campaign.objects.filter(domain=domain).values_list("pk", "name"))
    chosen = Decision.objects.filter(domain=domain).values_list("campaign_id", flat=True)
    counted = Counter(names.get(campaign_id, "no campaign") for campaign_id in chosen)
    return tuple(counted.most_common())
