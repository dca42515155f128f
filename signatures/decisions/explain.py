"""Explanation: why a sender's signature shows this banner to this recipient at this moment.

Its look-ups count towards the recipient's limit of one an hour, and are stored like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import get_lookup_block_reason
from integrations.errors import Gap
from portal.models import Domain
from signatures.audiences.attributes import get_needed
from signatures.campaigns.ruleset import Ruleset
from signatures.campaigns.selection import RecipientFacts, SenderFacts, Verdict, explain_choice
from signatures.conditions.conditions import Clause, Names, digest_conditions, say
from signatures.models import Banner, BannerImage, BannerPlace, Decision, GroupMember, Sender
from signatures.recipients.facts import count_shown
from signatures.recipients.prospect_lookup import (
    PERSON_WAITS_SECONDS,
    LookedUp,
    Question,
    ask_outreach,
    make_question,
)

JOB = "why this banner"
GAPS = {
    Gap.RESTING: "Not looked up: Outreach did not answer several times, so look-ups are suspended.",
    Gap.BUSY: "Not looked up: too many look-ups are running. Try again in a moment.",
    Gap.LATE: "No answer from Outreach yet; audiences with prospect fields do not match. Try again.",
}


@dataclass(frozen=True, slots=True)
class ConditionAnswer:
    """One condition in words. holds: None for unknown."""

    sentence: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class CampaignExplanation:
    """Whether a campaign was selected and why, with each condition of its audience."""

    verdict: Verdict
    answers: tuple[ConditionAnswer, ...]

    @property
    def is_chosen(self) -> bool:
        return self.verdict.why == "chosen"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A selection and its reasons.

    recipient: the typed address, '' for unknown; known: a sentence on what is known of it. banner: None for
    the default banner; image: None where nothing shows. recorded: actual decisions for this recipient up to
    then, newest first.
    """

    sender: Sender
    recipient: str
    at: datetime
    known: str
    banner: Banner | None
    image: BannerImage | None
    alt: str
    place_is_on: bool
    campaigns: tuple[CampaignExplanation, ...]
    recorded: tuple[Decision, ...] = ()

    @property
    def campaign_id(self) -> int | None:
        return self.banner.campaign_id if self.banner else None

    @property
    def chosen(self) -> CampaignExplanation | None:
        return next((one for one in self.campaigns if one.is_chosen), None)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Which conditions match, by digest, and how this is known."""

    holds: Mapping[str, bool]
    sentence: str


def explain_banner(
    domain: Domain,
    ruleset: Ruleset,
    sender: Sender,
    address: str,
    *,
    at: datetime,
    actor: str,
    names: Names,
    image_ids: Mapping[int, int] | None = None,
) -> Explanation:
    """Return what `sender` shows to `address` at `at`, and why.

    address: '' for an unknown recipient. ruleset: of every campaign that is not archived.
    actor: the person in whose name the recipient is looked up, where an audience needs their record.
    image_ids: banner id -> the image it had at `at`, for banners whose image has changed since.
    """
    facts, answers = _find_facts(domain, ruleset, address, at=at, actor=actor)
    choice, verdicts = explain_choice(
        ruleset.campaigns,
        SenderFacts(sender.pk, GroupMember.objects.list_group_ids(sender)),
        facts,
        at=at,
        zone=ruleset.zone,
    )
    banner = Banner.objects.select_related("image", "campaign").filter(pk=choice.banner_id or 0).first()
    place = BannerPlace.objects.for_domain(domain)
    return Explanation(
        sender=sender,
        recipient=address,
        at=at,
        known=answers.sentence,
        banner=banner,
        image=_find_image(banner, image_ids or {}) if banner else place.default_image,
        alt=banner.alt if banner else place.default_alt or place.alt,
        place_is_on=place.is_on,
        campaigns=tuple(
            CampaignExplanation(
                verdict,
                _tell(ruleset.audiences.get(verdict.campaign.id, ()), answers, names, is_known=bool(address)),
            )
            for verdict in verdicts
        ),
        recorded=tuple(_find_recorded(domain, sender, facts.key, at=at)) if facts else (),
    )


def _find_facts(
    domain: Domain, ruleset: Ruleset, address: str, *, at: datetime, actor: str
) -> tuple[RecipientFacts | None, _Answers]:
    """Return the recipient as selection sees it at `at`, and which conditions match."""
    if not address:
        return None, _Answers({}, "Unknown recipient: selected by sender, group and date.")
    needed = frozenset().union(*map(get_needed, ruleset.audiences.values()))
    question = make_question(domain, address, ruleset, asked=needed)
    answers = _find_out(question, ruleset, actor=actor)
    matched = frozenset(
        pk
        for pk, conditions in ruleset.audiences.items()
        if all(answers.holds.get(digest_conditions([condition]), False) for condition in conditions)
    )
    shown = count_shown(domain, question.key, ruleset, at=at, until=at)
    return RecipientFacts(question.key, matched, shown), answers


def _find_image(banner: Banner, image_ids: Mapping[int, int]) -> BannerImage:
    image_id = image_ids.get(banner.pk, banner.image_id)
    return banner.image if image_id == banner.image_id else BannerImage.objects.get(pk=image_id)


def _tell(
    conditions: Sequence[Clause], answers: _Answers, names: Names, *, is_known: bool
) -> tuple[ConditionAnswer, ...]:
    return tuple(
        ConditionAnswer(say(one, names), answers.holds.get(digest_conditions([one])) if is_known else None)
        for one in conditions
    )


def _find_out(question: Question, ruleset: Ruleset, *, actor: str) -> _Answers:
    """Return which conditions of the ruleset's audiences match the recipient."""
    local = question.judge_local()
    if not question.asked:
        return _Answers(local, "No audience needs prospect fields, so the recipient was not looked up.")
    looked_up = ask_outreach(question, within=PERSON_WAITS_SECONDS, actor=actor, job=JOB)
    return _Answers({**local, **looked_up.conditions}, _say(looked_up, question, zone=ruleset.zone))


def _say(looked_up: LookedUp, question: Question, *, zone: tzinfo) -> str:
    if looked_up.is_prospect is not None:
        known, unknown = "Outreach knows this recipient.", "Outreach knows no prospect with this address."
        return known if looked_up.is_prospect else unknown
    if looked_up.until is not None:
        return _say_earlier(looked_up, question, until=f"{looked_up.until.astimezone(zone):%H:%M %Z}")
    if looked_up.gap is Gap.NOT_CONNECTED:
        return f"Not looked up: {get_lookup_block_reason(get_connection(question.domain))}"
    failed = f"Look-up failed; audiences with prospect fields do not match. {looked_up.error}".rstrip()
    return GAPS.get(looked_up.gap, failed)


def _say_earlier(looked_up: LookedUp, question: Question, *, until: str) -> str:
    if not looked_up.conditions:
        return f"Looked up in the last hour without an answer. The next look-up is possible from {until}."
    sentence = f"Looked up in the last hour; the matches count until {until}."
    if question.judge_conditions(None).keys() - looked_up.conditions.keys():
        sentence += " Conditions changed since then are unknown."
    return sentence


def _find_recorded(domain: Domain, sender: Sender, key: str, *, at: datetime) -> list[Decision]:
    rows = Decision.objects.filter(domain=domain, sender=sender, recipient_key=key, at__lte=at)
    return list(rows.select_related("campaign", "banner").order_by("-at")[:5])
