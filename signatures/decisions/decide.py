"""Decision: decides which banner one known recipient gets from one sender, and stores it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models.functions import Lower
from django.utils.html import format_html

from integrations.connection.lifecycle import get_connection
from integrations.errors import Gap
from integrations.models import Mailbox
from portal.counters import COUNTERS
from portal.models import Domain
from signatures.audiences.mail_addresses import normalise
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.ruleset import Ruleset, load_ruleset
from signatures.campaigns.selection import NOTHING, Choice, RecipientFacts, SenderFacts, choose_banner
from signatures.models import Banner, BannerImage, BannerPlace, Decision, GroupMember, Sender
from signatures.recipients.facts import count_shown, get_facts

from .tokens import get_decision_click_url, get_decision_image_url, make_token

WITHIN_SECONDS = 0.8
GOOD_FOR = timedelta(minutes=10)
STYLE = "display: block; border: 0; max-width: 100%; height: auto"  # as the shipped templates have it


class Why(StrEnum):
    """Why a decision has this result."""

    CAMPAIGN = "campaign"
    DEFAULT = "default"
    PLACE_IS_OFF = "place_is_off"
    NOTHING_DUE = "nothing_due"
    SENDER_INACTIVE = "sender_inactive"


@dataclass(frozen=True, slots=True)
class DecidedBanner:
    """A banner for a mail: its own URLs, and markup that is ready to insert."""

    decision_id: int
    token: str
    image_url: str
    image_url_2x: str
    click_url: str
    alt: str
    width: int
    height: int
    html: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision for one recipient and sender.

    banner: None for no banner; then nothing is stored. gap: what is unknown about the recipient and may have
    kept a campaign from showing. good_until: how long the answer may be used for mails to this recipient.
    """

    choice: Choice
    banner: DecidedBanner | None
    why: Why
    gap: Gap
    good_until: datetime


def find_sender(domain: Domain, address: str) -> Sender | None:
    """Return the sender with this address or a mailbox with it, ignoring case."""
    wanted = normalise(address)
    senders = Sender.objects.filter(domain=domain).select_related("group").order_by("-is_active", "pk")
    found: Sender | None = senders.annotate(address=Lower("email")).filter(address=wanted).first()
    if found is None:
        mailboxes = Mailbox.objects.filter(connection=get_connection(domain), retired_at=None)
        owner = mailboxes.annotate(address=Lower("email")).filter(address=wanted).first()
        if owner is not None:
            found = senders.filter(
                person__connection=owner.connection_id, person__remote_id=owner.person_remote_id
            ).first()
    return found


def decide(
    domain: Domain,
    sender: Sender,
    address: str,
    *,
    way: Decision.Way,
    at: datetime,
    within: float = WITHIN_SECONDS,
) -> Decided:
    """Return which banner `address` gets from `sender` at `at`, and store it as a decision.

    within: seconds to wait for a look-up in Outreach.
    """
    started = time.perf_counter()
    try:
        return _decide(domain, sender, address, way=way, at=at, within=within)
    finally:
        seconds = time.perf_counter() - started
        COUNTERS.observe("countersign_decision_duration_seconds", way.value, seconds=seconds)


def _decide(
    domain: Domain, sender: Sender, address: str, *, way: Decision.Way, at: datetime, within: float
) -> Decided:
    place = BannerPlace.objects.filter(domain=domain, is_on=True).select_related("default_image").first()
    if place is None:
        return Decided(NOTHING, None, Why.PLACE_IS_OFF, Gap.NONE, at + GOOD_FOR)
    if not sender.is_active:
        return Decided(NOTHING, None, Why.SENDER_INACTIVE, Gap.NONE, at + GOOD_FOR)
    ruleset = load_ruleset(domain, since=at)
    known = get_facts(domain, address, within=within, ruleset=ruleset)
    with transaction.atomic():
        choice = _choose(ruleset, sender, known.facts, at=at)
        if choice.campaign_id in ruleset.get_caps() and known.facts is not None:
            # One at a time, and counted anew: a cap holds for two gateways that ask at once.
            BannerPlace.objects.select_for_update().get(pk=place.pk)
            shown = count_shown(domain, known.facts.key, ruleset, at=at)
            facts = RecipientFacts(known.facts.key, known.facts.matched, shown)
            choice = _choose(ruleset, sender, facts, at=at)
        banner = _get_banner(choice)
        image = banner.image if banner else place.default_image
        if image is None:
            return Decided(NOTHING, None, Why.NOTHING_DUE, known.gap, at + GOOD_FOR)
        decision = Decision.objects.create(
            domain=domain,
            sender=sender,
            campaign_id=choice.campaign_id,
            banner_id=choice.banner_id,
            recipient_key=known.facts.key if known.facts else key_of(domain, address),
            way=way,
            at=at,
        )
    alt = banner.alt if banner else place.default_alt or place.alt
    why = Why.CAMPAIGN if banner else Why.DEFAULT
    return Decided(choice, _show(image, alt, decision.pk), why, known.gap, at + GOOD_FOR)


def _choose(ruleset: Ruleset, sender: Sender, facts: RecipientFacts | None, *, at: datetime) -> Choice:
    return choose_banner(
        ruleset.campaigns,
        SenderFacts(sender.pk, GroupMember.objects.list_group_ids(sender)),
        facts,
        at=at,
        zone=ruleset.zone,
    )


def _get_banner(choice: Choice) -> Banner | None:
    if choice.banner_id is None:
        return None
    return Banner.objects.select_related("image").get(pk=choice.banner_id)


def _show(image: BannerImage, alt: str, decision_id: int) -> DecidedBanner:
    token = make_token(decision_id)
    click_url = get_decision_click_url(token)
    image_url_2x = get_decision_image_url(token)
    return DecidedBanner(
        decision_id=decision_id,
        token=token,
        image_url=image_url_2x.replace("@2x.", "."),
        image_url_2x=image_url_2x,
        click_url=click_url,
        alt=alt,
        width=image.width,
        height=image.height,
        html=format_html(
            '<a href="{}"><img src="{}" width="{}" height="{}" alt="{}" border="0" style="{}"></a>',
            click_url,
            image_url_2x,
            image.width,
            image.height,
            alt,
            STYLE,
        ),
    )
