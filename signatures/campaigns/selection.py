"""Selection: decides which banner a sender's signature shows to a recipient at a time, and why.

Pure: the same input gives the same banner, also in previews and for the past.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class BannerRule:
    """One banner of a campaign; weight is at least 1."""

    id: int
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Cap:
    """Frequency cap: at most `times` for one recipient within `days`."""

    times: int
    days: int


@dataclass(frozen=True, slots=True)
class CampaignRule:
    """A campaign as selection needs it.

    ends_at: None for no end; a campaign covers starts_at <= at < ends_at.
    group_ids: whose signatures show it; empty for all.
    has_audience: it is for matching recipients, and so not for unknown ones.
    """

    id: int
    name: str
    priority: int
    starts_at: datetime
    ends_at: datetime | None
    banners: tuple[BannerRule, ...]
    group_ids: frozenset[int] = frozenset()
    has_audience: bool = False
    cap: Cap | None = None
    is_paused: bool = False

    @classmethod
    def from_row(
        cls, row: Mapping[str, Any], banners: Iterable[BannerRule], group_ids: Iterable[int]
    ) -> CampaignRule:
        """Return a campaign from its columns. banners: those that are not archived, in order."""
        return cls(
            id=row["id"],
            name=row["name"],
            priority=row["priority"],
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            banners=tuple(banners),
            group_ids=frozenset(group_ids),
            has_audience=row["audience"] != [],
            cap=Cap(row["cap_times"], row["cap_days"]) if row["cap_times"] and row["cap_days"] else None,
            is_paused=row["paused_at"] is not None,
        )

    def as_json(self) -> dict[str, Any]:
        """Return all but the id and the audience, as `from_json` reads it."""
        return {
            "name": self.name,
            "priority": self.priority,
            "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "banners": [[banner.id, banner.weight] for banner in self.banners],
            "groups": sorted(self.group_ids),
            "cap": [self.cap.times, self.cap.days] if self.cap else [None, None],
            "is_paused": self.is_paused,
        }

    @classmethod
    def from_json(cls, campaign_id: int, stored: Mapping[str, Any]) -> CampaignRule:
        """Return a campaign from the output of `as_json`, and its audience.

        A banner's list may have more items than id and weight.
        """
        times, days = stored["cap"]
        return cls(
            id=campaign_id,
            name=stored["name"],
            priority=stored["priority"],
            starts_at=datetime.fromisoformat(stored["starts_at"]),
            ends_at=datetime.fromisoformat(stored["ends_at"]) if stored["ends_at"] else None,
            banners=tuple(BannerRule(pk, weight) for pk, weight, *_ in stored["banners"]),
            group_ids=frozenset(stored["groups"]),
            has_audience=stored["audience"] != [],
            cap=Cap(times, days) if times and days else None,
            is_paused=stored["is_paused"],
        )


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """A sender's id, and the ids of every group that they are in."""

    id: int
    group_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """A recipient without identity.

    key: the recipient's pseudonym. matched: ids of campaigns whose audience matches the recipient. shown:
    campaign id -> how often the recipient got it within that campaign's cap period.
    """

    key: str
    matched: frozenset[int] = frozenset()
    shown: Mapping[int, int] = field(default_factory=dict)


class Why(StrEnum):
    """The outcome for one campaign in a selection; only CHOSEN shows."""

    CHOSEN = "chosen"
    OUTRANKED = "outranked"
    NOT_YET = "not_yet"
    OVER = "over"
    PAUSED = "paused"
    NO_BANNER = "no_banner"
    OTHER_GROUP = "other_group"
    NOBODY_KNOWN = "nobody_known"
    NOT_IN_AUDIENCE = "not_in_audience"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True)
class Choice:
    """The selected banner and its campaign; both None for the default banner."""

    campaign_id: int | None = None
    banner_id: int | None = None


NOTHING = Choice()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A campaign's outcome: a code for lists and a sentence for a person."""

    campaign: CampaignRule
    why: Why
    sentence: str


def rank(campaigns: Sequence[CampaignRule]) -> list[CampaignRule]:
    """Return the campaigns by priority, the older one first at the same priority."""
    return sorted(campaigns, key=lambda campaign: (-campaign.priority, campaign.id))


def choose_banner(
    campaigns: Sequence[CampaignRule],
    sender: SenderFacts,
    recipient: RecipientFacts | None,
    *,
    at: datetime,
    zone: tzinfo,
) -> Choice:
    """Return the banner `sender` shows to `recipient` at `at`.

    campaigns: in the order of `rank`.
    recipient: None if unknown; campaigns with an audience then never show. zone: the domain's time zone,
    which defines the day of a sender's rotation.
    """
    for campaign in campaigns:
        if _stands_aside(campaign, sender, recipient, at) is None:
            return Choice(campaign.id, _pick(campaign, sender, recipient, at=at, zone=zone).id)
    return NOTHING


def explain_choice(
    campaigns: Sequence[CampaignRule],
    sender: SenderFacts,
    recipient: RecipientFacts | None,
    *,
    at: datetime,
    zone: tzinfo,
) -> tuple[Choice, list[Verdict]]:
    """Return the result of `choose_banner`, and the outcome of every campaign, in order."""
    choice = choose_banner(campaigns, sender, recipient, at=at, zone=zone)
    winner = next((campaign for campaign in campaigns if campaign.id == choice.campaign_id), None)
    verdicts = []
    for campaign in campaigns:
        why = _stands_aside(campaign, sender, recipient, at)
        if why is None:
            why = Why.CHOSEN if campaign is winner else Why.OUTRANKED
        verdicts.append(Verdict(campaign, why, _say(campaign, why, winner, zone=zone)))
    return choice, verdicts


def _stands_aside(
    campaign: CampaignRule, sender: SenderFacts, recipient: RecipientFacts | None, at: datetime
) -> Why | None:
    """Return why a campaign does not show here and now, or None where it could."""
    if campaign.is_paused:
        return Why.PAUSED
    if at < campaign.starts_at:
        return Why.NOT_YET
    if campaign.ends_at is not None and at >= campaign.ends_at:
        return Why.OVER
    if not campaign.banners:
        return Why.NO_BANNER
    if campaign.group_ids and campaign.group_ids.isdisjoint(sender.group_ids):
        return Why.OTHER_GROUP
    return _refuses_recipient(campaign, recipient)


def _refuses_recipient(campaign: CampaignRule, recipient: RecipientFacts | None) -> Why | None:
    if recipient is None:
        return Why.NOBODY_KNOWN if campaign.has_audience else None
    if campaign.has_audience and campaign.id not in recipient.matched:
        return Why.NOT_IN_AUDIENCE
    if campaign.cap is not None and recipient.shown.get(campaign.id, 0) >= campaign.cap.times:
        return Why.CAPPED
    return None


def _pick(
    campaign: CampaignRule,
    sender: SenderFacts,
    recipient: RecipientFacts | None,
    *,
    at: datetime,
    zone: tzinfo,
) -> BannerRule:
    """Return one banner by weight, always the same for a recipient, or for a sender on one day.

    Uses rendezvous hashing, so that adding or removing a banner moves as few recipients as possible.
    """
    if len(campaign.banners) == 1:
        return campaign.banners[0]
    who = recipient.key if recipient is not None else f"{sender.id}/{at.astimezone(zone).date()}"
    return max(campaign.banners, key=lambda banner: (_lot(campaign.id, banner, who), banner.id))


def _lot(campaign_id: int, banner: BannerRule, who: str) -> float:
    """Return the banner's score; the highest wins, in proportion to the weights.

    Source: weighted rendezvous hashing, Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.
    """
    digest = sha256(f"{campaign_id}/{banner.id}/{who}".encode()).digest()
    uniform = (int.from_bytes(digest[:8]) + 1) / (2**64 + 1)
    return -banner.weight / math.log(uniform) if uniform < 1 else math.inf


def _say(campaign: CampaignRule, why: Why, winner: CampaignRule | None, *, zone: tzinfo) -> str:
    match why:
        case Why.OUTRANKED if winner is not None:
            beats = "has a higher priority" if winner.priority > campaign.priority else "is older"
            return f"Outranked by “{winner.name}”, which {beats}."
        case Why.NOT_YET:
            return f"Starts on {_moment(campaign.starts_at, zone)}."
        case Why.OVER if campaign.ends_at is not None:
            return f"Ended on {_moment(campaign.ends_at, zone)}."
        case Why.CAPPED if campaign.cap is not None:
            times = "once" if campaign.cap.times == 1 else f"{campaign.cap.times} times"
            days = "a day" if campaign.cap.days == 1 else f"{campaign.cap.days} days"
            return f"Frequency cap reached: {times} within {days}."
        case _:
            return _SENTENCES[why]


_SENTENCES = {
    Why.CHOSEN: "Active and matching; nothing outranks it.",
    Why.PAUSED: "Paused.",
    Why.NO_BANNER: "No banner.",
    Why.OTHER_GROUP: "For other sender groups.",
    Why.NOBODY_KNOWN: "Has an audience, and the recipient is unknown.",
    Why.NOT_IN_AUDIENCE: "The recipient is not in its audience.",
}


def _moment(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M %Z}"
