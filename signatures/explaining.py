"""Why a sender's signature shows this banner to this recipient at this moment, told whole.

A recipient's record lives as long as one call here. What is kept, for an hour and under a keyed digest, is
which conditions held, so that nobody is asked about twice within the hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from json import dumps

from django.core.cache import cache
from django.db.models import Count, Q
from django.utils import timezone

from integrations.connector import ProspectRecord
from integrations.errors import IntegrationError
from portal.models import Domain

from .audience import Condition, Names, Recipient, explain_audience, get_needed, say
from .board import Board, get_place
from .campaigns import RecipientFacts, SenderFacts, Verdict, explain_choice
from .models import Banner, BannerImage, Decision, Sender
from .recipients import get_lists_holding, key_of, normalise

LIFE_SECONDS = 3600

Ask = Callable[[str, frozenset[str]], ProspectRecord | None]
"""Looks one address up at Outreach, for these attributes. Raises members of `integrations.errors`."""


@dataclass(frozen=True, slots=True)
class ConditionAnswer:
    """One condition in words. holds: None where nobody could tell."""

    sentence: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one campaign, and each condition of its audience."""

    verdict: Verdict
    answers: tuple[ConditionAnswer, ...]

    @property
    def is_chosen(self) -> bool:
        return self.verdict.why == "chosen"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The choice and all that led to it.

    recipient: the typed address, '' where nobody is known; known: what was found out about it, in a sentence.
    banner: None for the place's own picture; image: None where nothing shows.
    recorded: decisions that were really made for this recipient up to then, newest first.
    """

    sender: Sender
    recipient: str
    at: datetime
    known: str
    banner: Banner | None
    image: BannerImage | None
    alt: str
    place_is_on: bool
    told: tuple[Told, ...]
    recorded: tuple[Decision, ...] = ()

    @property
    def campaign_id(self) -> int | None:
        return self.banner.campaign_id if self.banner else None

    @property
    def chosen(self) -> Told | None:
        return next((one for one in self.told if one.is_chosen), None)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Which conditions hold, by digest, and how they were found out."""

    holds: Mapping[str, bool]
    sentence: str


def explain_banner(
    domain: Domain,
    board: Board,
    sender: Sender,
    address: str,
    *,
    at: datetime,
    ask: Ask,
    why_not_asked: str,
    names: Names,
) -> Explanation:
    """Return what `sender` shows to `address` at `at`, and why.

    address: '' where nobody is known. board: of every campaign that is not archived.
    ask: called at most once, and only where an audience asks for the recipient's record.
    why_not_asked: why nobody can be looked up, '' where that can be done.
    """
    facts, answers = None, _Answers({}, "Nobody is known to receive this: sender, group and date decide.")
    if address:
        answers = _find_out(domain, board, address, ask=ask, why_not_asked=why_not_asked)
        matched = frozenset(
            pk
            for pk, conditions in board.audiences.items()
            if all(answers.holds.get(_digest(condition), False) for condition in conditions)
        )
        key = key_of(domain, address)
        facts = RecipientFacts(key, matched, _count_shown(domain, key, board, at=at))
    choice, verdicts = explain_choice(
        board.campaigns, SenderFacts(sender.pk, sender.group_id), facts, at=at, zone=board.zone
    )
    banner = Banner.objects.select_related("image", "campaign").filter(pk=choice.banner_id or 0).first()
    place = get_place(domain)
    return Explanation(
        sender=sender,
        recipient=address,
        at=at,
        known=answers.sentence,
        banner=banner,
        image=banner.image if banner else place.default_image,
        alt=banner.alt if banner else place.default_alt or place.alt,
        place_is_on=place.is_on,
        told=tuple(
            Told(
                verdict,
                _tell(board.audiences.get(verdict.campaign.id, ()), answers, names, is_known=bool(address)),
            )
            for verdict in verdicts
        ),
        recorded=tuple(_find_recorded(domain, sender, facts.key, at=at)) if facts else (),
    )


def _tell(
    conditions: Sequence[Condition], answers: _Answers, names: Names, *, is_known: bool
) -> tuple[ConditionAnswer, ...]:
    return tuple(
        ConditionAnswer(say(one, names), answers.holds.get(_digest(one)) if is_known else None)
        for one in conditions
    )


def _find_out(domain: Domain, board: Board, address: str, *, ask: Ask, why_not_asked: str) -> _Answers:
    """Return which conditions of the board's audiences hold for the address."""
    conditions = {_digest(one): one for each in board.audiences.values() for one in each}
    record_needed = {digest: one for digest, one in conditions.items() if one.attribute.needs_prospect}
    recipient = Recipient(
        email_domain=normalise(address).rpartition("@")[2], list_ids=get_lists_holding(domain, address)
    )
    local = _judge(conditions.keys() - record_needed.keys(), conditions, recipient)
    if not record_needed:
        return _Answers(local, "No audience asks for this recipient’s record, so nobody was looked up.")
    if why_not_asked:
        return _Answers(local, f"Not looked up: {why_not_asked}")
    cache_key = f"conditions:{domain.pk}:{key_of(domain, address)}"
    kept = cache.get(cache_key)
    if kept is not None:
        fresh_at = datetime.fromisoformat(kept["at"]) + timedelta(seconds=LIFE_SECONDS)
        until = f"{fresh_at.astimezone(board.zone):%H:%M %Z}"
        sentence = f"Looked up within the last hour; what held then counts until {until}."
        if record_needed.keys() - kept["holds"].keys():
            sentence += " Conditions that are newer than that are not known yet."
        return _Answers(local | kept["holds"], sentence)
    now = timezone.now()
    # A claim before the request leaves: whatever comes of it, this was the one of this hour.
    cache.set(cache_key, {"at": now.isoformat(), "holds": {}}, LIFE_SECONDS)
    try:
        record = ask(address, get_needed(record_needed.values()))
    except IntegrationError as error:
        return _Answers(local, f"The look-up at Outreach failed, so no audience of prospects holds. {error}")
    holds = _judge(record_needed, conditions, with_record(recipient, record))
    cache.set(cache_key, {"at": now.isoformat(), "holds": holds}, LIFE_SECONDS)
    said = "Outreach knows this recipient." if record else "Outreach knows no prospect with this address."
    return _Answers(local | holds, said)


def with_record(recipient: Recipient, record: ProspectRecord | None) -> Recipient:
    """Return the recipient with what their record in Outreach says; without one, nothing of it holds."""
    if record is None:
        return recipient
    ids = {
        "owner": record.owner_id,
        "stage": record.stage_id,
        "persona": record.persona_id,
        "account": record.account_id,
    }
    return Recipient(recipient.email_domain, recipient.list_ids, {**record.attributes, **ids}, record.tags)


def _judge(
    wanted: Iterable[str], conditions: Mapping[str, Condition], recipient: Recipient
) -> dict[str, bool]:
    return {digest: explain_audience([conditions[digest]], recipient)[0].holds for digest in wanted}


def _digest(condition: Condition) -> str:
    return sha256(dumps(condition.as_json(), sort_keys=True).encode()).hexdigest()[:24]


def _count_shown(domain: Domain, key: str, board: Board, *, at: datetime) -> dict[int, int]:
    """Return campaign id -> how often this recipient had it within its cap's days before `at`."""
    caps = board.get_caps()
    counted = {
        f"shown{pk}": Count("pk", filter=Q(campaign_id=pk, at__gt=at - timedelta(days=cap.days), at__lte=at))
        for pk, cap in caps.items()
    }
    if not counted:
        return {}
    totals = Decision.objects.filter(domain=domain, recipient_key=key, campaign_id__in=caps).aggregate(
        **counted
    )
    return {pk: totals[f"shown{pk}"] for pk in caps}


def _find_recorded(domain: Domain, sender: Sender, key: str, *, at: datetime) -> list[Decision]:
    rows = Decision.objects.filter(domain=domain, sender=sender, recipient_key=key, at__lte=at)
    return list(rows.select_related("campaign", "banner").order_by("-at")[:5])
