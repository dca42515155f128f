"""Domain cache: one domain's campaigns and banners as last read, and each sender's banner, with its time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import NamedTuple

from django.utils import timezone

from portal.models import Domain
from signatures.campaigns.links import with_utm
from signatures.campaigns.ruleset import Ruleset, load_ruleset
from signatures.campaigns.selection import (
    NOTHING,
    CampaignRule,
    Choice,
    RecipientFacts,
    SenderFacts,
    choose_banner,
)
from signatures.models import Banner, BannerPlace, RecipientPrivacy
from signatures.rendering.banner_links import is_variable

from .bounded import Bounded
from .changes import Fingerprint

MOST_SENDERS = 200_000


class SenderRef(NamedTuple):
    """A sender, found by its banner key.

    group_ids: of every group that they are in, sorted; group_id: of the one that counts are kept by.
    since: from when on this is known to be right; read_at: when its row was last read. Both in seconds.
    """

    sender_id: int
    group_id: int | None
    group_ids: tuple[int, ...]
    domain_id: int
    since: float
    read_at: float


class ServedBanner(NamedTuple):
    """The banner that is served for a sender, with its image and link.

    image_id: None where there is no image. link: '' where there is none.
    since, until: in seconds; between them no other banner can be chosen, as far as is known now.
    """

    campaign_id: int | None
    banner_id: int | None
    image_id: int | None
    link: str
    since: float
    until: float
    modified: str  # `since` as HTTP writes it

    @property
    def choice(self) -> Choice:
        return Choice(self.campaign_id, self.banner_id)


@dataclass(frozen=True, slots=True)
class _Content:
    """The image and the link of one banner."""

    image_id: int
    link: str


@dataclass
class DomainCache:
    """One domain, as last read.

    ruleset: None where banners are off. boundaries: when campaigns start or end, in seconds, sorted.
    """

    domain: Domain
    fingerprint: Fingerprint
    ruleset: Ruleset | None
    default_image_id: int | None
    default_link: str
    variable: str
    boundaries: list[float]
    read_at: float
    used_at: float
    _winners: dict[tuple[int, ...], tuple[CampaignRule | None, float]] = field(default_factory=dict)
    _banners: Bounded[int, ServedBanner] = field(default_factory=lambda: Bounded(MOST_SENDERS, ServedBanner))
    _contents: dict[int, _Content] = field(default_factory=dict)

    def get_banner(self, sender: SenderRef, now: float) -> ServedBanner:
        """Return the sender's banner for an unknown recipient."""
        served = self._banners.get(sender.sender_id)
        if served is None or not served.since <= now < served.until or sender.since > served.since:
            served = self._choose(sender, now)
            self._banners.keep(sender.sender_id, served)
        return served

    def get_banner_for(self, sender: SenderRef, recipient: RecipientFacts, now: float) -> ServedBanner:
        """Return the sender's banner for a known recipient."""
        if self.ruleset is None:
            return self._serve_default(since=now, until=now)
        who = SenderFacts(sender.sender_id, frozenset(sender.group_ids))
        at = datetime.fromtimestamp(now, UTC)
        choice = choose_banner(self.ruleset.campaigns, who, recipient, at=at, zone=self.ruleset.zone)
        return self.serve(choice, since=now, until=now)

    def serve(self, choice: Choice, *, since: float, until: float) -> ServedBanner:
        """Return the chosen banner with its image and link; the default banner where it was removed."""
        content = self._get_content(choice.banner_id) if choice.banner_id is not None else None
        if content is None:
            return self._serve_default(since=since, until=until)
        link = content.link or self.default_link
        modified = formatdate(since, usegmt=True)
        return ServedBanner(
            choice.campaign_id, choice.banner_id, content.image_id, link, since, until, modified
        )

    def _serve_default(self, *, since: float, until: float) -> ServedBanner:
        modified = formatdate(since, usegmt=True)
        nothing = NOTHING.campaign_id, NOTHING.banner_id
        return ServedBanner(*nothing, self.default_image_id, self.default_link, since, until, modified)

    def _choose(self, sender: SenderRef, now: float) -> ServedBanner:
        if self.ruleset is None:
            return self._serve_default(since=max(self.read_at, sender.since), until=float("inf"))
        since, until = self._get_span(self.ruleset, now)
        since = max(since, sender.since)
        winner, holds_until = self._winners.get(sender.group_ids, (None, 0.0))
        at = datetime.fromtimestamp(now, UTC)
        if not now < holds_until:
            winner = _find_winner(self.ruleset, sender.group_ids, at)
            self._winners[sender.group_ids] = winner, until
        if winner is None:
            return self._serve_default(since=since, until=until)
        # The campaign is the same for everybody in the same groups; which of its banners depends on the sender.
        who = SenderFacts(sender.sender_id, frozenset(sender.group_ids))
        choice = choose_banner((winner,), who, None, at=at, zone=self.ruleset.zone)
        return self.serve(choice, since=since, until=until)

    def _get_span(self, ruleset: Ruleset, now: float) -> tuple[float, float]:
        """Return the span in which no campaign starts or ends and no day begins in the domain's zone."""
        position = bisect_right(self.boundaries, now)
        local = datetime.fromtimestamp(now, ruleset.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        next_day = (midnight + timedelta(days=1)).timestamp()
        ends = [next_day, *self.boundaries[position : position + 1]]
        begins = [self.read_at, midnight.timestamp(), *self.boundaries[max(position - 1, 0) : position]]
        return max(begin for begin in begins if begin <= now), min(ends)

    def _get_content(self, banner_id: int) -> _Content | None:
        content = self._contents.get(banner_id)
        if content is None:
            content = _read_content(self.domain, banner_id)
            if content is not None:
                self._contents[banner_id] = content
        return content


def read_domain(domain_id: int, fingerprint: Fingerprint) -> DomainCache:
    """Read the domain from its rows.

    fingerprint: the domain's, read before.

    Raises: DatabaseFailure where they cannot be read; Domain.DoesNotExist where it was removed.
    """
    now = timezone.now()
    domain = Domain.objects.select_related("brand").get(pk=domain_id)
    place = BannerPlace.objects.for_domain(domain)
    website = domain.brand.website if hasattr(domain, "brand") else ""
    ruleset = load_ruleset(domain, since=now) if place.is_on else None
    changes = {
        moment.timestamp()
        for campaign in (ruleset.campaigns if ruleset else ())
        for moment in (campaign.starts_at, campaign.ends_at)
        if moment is not None
    }
    variable = RecipientPrivacy.objects.for_domain(domain).recipient_variable
    return DomainCache(
        domain=domain,
        fingerprint=fingerprint,
        ruleset=ruleset,
        default_image_id=place.default_image_id if place.is_on else None,
        default_link=_safe(place.default_link) or _safe(website),
        variable=variable if is_variable(variable) else "",
        boundaries=sorted(changes),
        read_at=now.timestamp(),
        used_at=now.timestamp(),
    )


def _find_winner(ruleset: Ruleset, group_ids: tuple[int, ...], at: datetime) -> CampaignRule | None:
    who = SenderFacts(0, frozenset(group_ids))
    choice = choose_banner(ruleset.campaigns, who, None, at=at, zone=ruleset.zone)
    return next((rule for rule in ruleset.campaigns if rule.id == choice.campaign_id), None)


def _read_content(domain: Domain, banner_id: int) -> _Content | None:
    banner = Banner.objects.select_related("campaign").filter(pk=banner_id, campaign__domain=domain).first()
    if banner is None:
        return None
    link = with_utm(
        _safe(banner.link),
        source=banner.campaign.utm_source,
        medium=banner.campaign.utm_medium,
        campaign=banner.campaign.utm_campaign,
        content=banner.utm_content,
    )
    return _Content(banner.image_id, _safe(link))


def _safe(link: str) -> str:
    """Return a stored address if it is safe to redirect to, else '', whoever stored it."""
    is_plain = link.isascii() and link.isprintable() and not set(' "<>\\') & set(link)
    return link if is_plain and link[:8] == "https://" and link[8:9].isalnum() else ""
