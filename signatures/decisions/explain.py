"""Why a sender's signature shows this banner to this recipient at this moment, told whole.

A recipient's record lives as long as one call here. What is kept of it is what `signatures.recipients.facts` keeps,
and a look-up by a person counts as the one of that hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from integrations.connector import ProspectRecord
from integrations.errors import IntegrationError
from portal.models import Domain
from signatures.audiences.conditions import Condition, Names, digest_audience, get_needed, say
from signatures.campaigns.ruleset import Board, get_place
from signatures.campaigns.selection import RecipientFacts, SenderFacts, Verdict, explain_choice
from signatures.models import Banner, BannerImage, Decision, KnownRecipient, Sender
from signatures.recipients.facts import (
    LIFE,
    Question,
    claim_hour,
    count_shown,
    give_up,
    keep_answer,
    make_question,
)

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
    image_ids: Mapping[int, int] | None = None,
) -> Explanation:
    """Return what `sender` shows to `address` at `at`, and why.

    address: '' where nobody is known. board: of every campaign that is not archived.
    ask: called at most once, and only where an audience asks for the recipient's record.
    why_not_asked: why nobody can be looked up, '' where that can be done.
    image_ids: banner id -> the picture it had at `at`, for those that had another one than now.
    """
    facts, answers = None, _Answers({}, "Nobody is known to receive this: sender, group and date decide.")
    if address:
        needed = frozenset().union(*map(get_needed, board.audiences.values()))
        question = make_question(domain, address, board, asked=needed)
        answers = _find_out(question, board, ask=ask, why_not_asked=why_not_asked)
        matched = frozenset(
            pk
            for pk, conditions in board.audiences.items()
            if all(answers.holds.get(digest_audience([condition]), False) for condition in conditions)
        )
        shown = count_shown(domain, question.key, board, at=at, until=at)
        facts = RecipientFacts(question.key, matched, shown)
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
        image=_find_image(banner, image_ids or {}) if banner else place.default_image,
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


def _find_image(banner: Banner, image_ids: Mapping[int, int]) -> BannerImage:
    image_id = image_ids.get(banner.pk, banner.image_id)
    return banner.image if image_id == banner.image_id else BannerImage.objects.get(pk=image_id)


def _tell(
    conditions: Sequence[Condition], answers: _Answers, names: Names, *, is_known: bool
) -> tuple[ConditionAnswer, ...]:
    return tuple(
        ConditionAnswer(say(one, names), answers.holds.get(digest_audience([one])) if is_known else None)
        for one in conditions
    )


def _find_out(question: Question, board: Board, *, ask: Ask, why_not_asked: str) -> _Answers:
    """Return which conditions of the board's audiences hold for the recipient."""
    local = question.judge_local()
    if not question.asked:
        return _Answers(local, "No audience asks for this recipient’s record, so nobody was looked up.")
    if why_not_asked:
        return _Answers(local, f"Not looked up: {why_not_asked}")
    now = timezone.now()
    if not claim_hour(question.domain, question.key, at=now):
        return _recall(question, board, local)
    try:
        record = ask(question.address, question.asked)
    except IntegrationError as error:
        give_up(question.domain, question.key, claimed_at=now, has_left=error.has_left)
        return _Answers(local, f"The look-up at Outreach failed, so no audience of prospects holds. {error}")
    # A look by a person says nothing about who receives mail, so audiences do not count it.
    holds = keep_answer(question, record, claimed_at=now, is_tallied=True)
    said = "Outreach knows this recipient." if record else "Outreach knows no prospect with this address."
    return _Answers(local | holds, said)


def _recall(question: Question, board: Board, local: Mapping[str, bool]) -> _Answers:
    """Return what was found out within the hour."""
    row = KnownRecipient.objects.get(domain=question.domain, recipient_key=question.key)
    until = f"{((row.asked_at or timezone.now()) + LIFE).astimezone(board.zone):%H:%M %Z}"
    if row.answered_at is None:
        return _Answers(
            local, f"Asked about within the hour, without an answer. It is asked again from {until} on."
        )
    asked = {
        digest_audience([one])
        for conditions in board.audiences.values()
        for one in conditions
        if one.attribute.needs_prospect
    }
    sentence = f"Looked up within the last hour; what held then counts until {until}."
    if asked - row.conditions.keys():
        sentence += " Conditions that are newer than that are not known yet."
    return _Answers({**local, **row.conditions}, sentence)


def _find_recorded(domain: Domain, sender: Sender, key: str, *, at: datetime) -> list[Decision]:
    rows = Decision.objects.filter(domain=domain, sender=sender, recipient_key=key, at__lte=at)
    return list(rows.select_related("campaign", "banner").order_by("-at")[:5])
