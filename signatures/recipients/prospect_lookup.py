"""Prospect look-ups: requests a recipient from Outreach at most once an hour, and stores audience matches.

The record is evaluated in memory and discarded. Only the matches of audiences and conditions are stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from integrations.connection.lifecycle import get_connection
from integrations.connector import ProspectRecord
from integrations.errors import Gap, IntegrationError
from integrations.lookup import LOOKUP_SECONDS, look_up
from portal.models import Domain
from signatures.audiences.attributes import Recipient, get_needed, needs_prospect
from signatures.audiences.lists import get_lists_holding
from signatures.audiences.mail_addresses import normalise
from signatures.audiences.pseudonyms import key_of
from signatures.audiences.seen_values import note_values
from signatures.campaigns.ruleset import Ruleset
from signatures.conditions.conditions import Clause, digest_conditions, hold
from signatures.models import KnownRecipient

from .lookup_share import take_look_up

LIFE = timedelta(hours=1)
POLL_SECONDS = 0.03
PERSON_WAITS_SECONDS = LOOKUP_SECONDS + 1  # so that they read what failed, not that it takes long

Verdict = list[Any]  # digest of the audience, whether it holds
Verdicts = dict[str, Verdict]


def make_question(domain: Domain, address: str, ruleset: Ruleset, *, asked: frozenset[str]) -> Question:
    """Return the query for one address. asked: the attributes to request."""
    return Question(
        domain=domain,
        key=key_of(domain, address),
        address=normalise(address),
        list_ids=get_lists_holding(domain, address),
        audiences=ruleset.audiences,
        asked=asked,
    )


def get_asked(ruleset: Ruleset, *, at: datetime) -> frozenset[str]:
    """Return the attributes in audiences of campaigns that are active now or within the hour."""
    live = [rule.id for rule in ruleset.campaigns if not rule.is_paused and rule.starts_at <= at + LIFE]
    return frozenset().union(*(get_needed(ruleset.audiences.get(pk, ())) for pk in live))


@dataclass(frozen=True, slots=True)
class Question:
    """A query about one recipient."""

    domain: Domain
    key: str
    address: str
    list_ids: frozenset[str]
    audiences: Mapping[int, tuple[Clause, ...]]
    asked: frozenset[str]

    def judge(self, record: ProspectRecord | None, *, only: Iterable[int]) -> Verdicts:
        """Return whether each of these audiences matches; without a record, those that need one do not."""
        recipient = self._get_recipient(record)
        return {
            str(pk): [digest_conditions(self.audiences[pk]), hold(self.audiences[pk], recipient)]
            for pk in only
        }

    def judge_conditions(self, record: ProspectRecord | None) -> dict[str, bool]:
        """Return digest -> match of each condition on a requested attribute."""
        recipient = self._get_recipient(record)
        asked = {
            digest_conditions([one]): one
            for conditions in self.audiences.values()
            for one in conditions
            if needs_prospect([one]) and get_needed([one]) <= self.asked
        }
        return {digest: hold([one], recipient) for digest, one in asked.items()}

    def judge_local(self) -> dict[str, bool]:
        """Return digest -> match of each condition that needs no record."""
        recipient = self._get_recipient(None)
        return {
            digest_conditions([one]): hold([one], recipient)
            for conditions in self.audiences.values()
            for one in conditions
            if not needs_prospect([one])
        }

    def _get_recipient(self, record: ProspectRecord | None) -> Recipient:
        return with_record(Recipient(self.address.rpartition("@")[2], self.list_ids), record)

    def get_rows(self) -> QuerySet[KnownRecipient]:
        """Return a queryset of the recipient's row, if any."""
        return KnownRecipient.objects.filter(domain=self.domain, recipient_key=self.key)

    @property
    def answered_by_record(self) -> list[int]:
        """IDs of the campaigns whose audience the requested attributes can answer."""
        return [pk for pk, conditions in self.audiences.items() if get_needed(conditions) <= self.asked]


def with_record(recipient: Recipient, record: ProspectRecord | None) -> Recipient:
    """Return the recipient with the values of their record in Outreach, if any."""
    if record is None:
        return recipient
    ids = {
        "owner": record.owner_id,
        "stage": record.stage_id,
        "persona": record.persona_id,
        "account": record.account_id,
    }
    return Recipient(recipient.email_domain, recipient.list_ids, {**record.attributes, **ids}, record.tags)


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The result of a look-up.

    gap: why the record is unknown. until: after an earlier look-up, when the next one is possible.
    conditions: digest -> match of each condition answered now or within the hour. is_prospect: whether
    Outreach knows the recipient; None without an answer now. error: what failed, for a person.
    """

    gap: Gap = Gap.NONE
    until: datetime | None = None
    conditions: Mapping[str, bool] = field(default_factory=dict)
    is_prospect: bool | None = None
    error: str = ""


def ask_outreach(
    question: Question,
    *,
    within: float,
    network: str | None = None,
    actor: str = "",
    job: str = "look-up",
) -> LookedUp:
    """Look the recipient up if an audience needs it and there was no look-up within the hour.

    within: seconds until this returns; a later answer is stored for the next call.
    network: that requests a banner image without login; the look-up then counts towards its share.
    actor: the person who requests it. Such a look-up does not count as an audience match, as no mail was sent.
    """
    if not question.asked:
        return LookedUp()
    ends_at = time.monotonic() + within
    row = question.get_rows().first()
    if row is not None and row.asked_at and row.asked_at > timezone.now() - LIFE:
        return _await_other(question, row, ends_at=ends_at)
    claim = _HourClaim(question, network=network, is_tallied=bool(actor))
    gap = look_up(
        get_connection(question.domain),
        question.address,
        asked=question.asked,
        within=ends_at - time.monotonic(),
        claim=claim,
        job=job,
        actor_label=actor,
        background=network is not None,
    )
    if gap is Gap.ASKED_BEFORE:
        return _await_other(question, question.get_rows().first(), ends_at=ends_at)
    if gap is Gap.NONE:
        return LookedUp(conditions=claim.conditions, is_prospect=claim.is_prospect)
    return LookedUp(gap, error=claim.error)


class _HourClaim:
    """A claim to this hour's look-up of a recipient, for one process; stores its result.

    is_tallied: True excludes the answer from match counts.
    """

    def __init__(self, question: Question, *, network: str | None, is_tallied: bool) -> None:
        self.question = question
        self.network = network
        self.is_tallied = is_tallied
        self.taken_at = timezone.now()
        self.conditions: dict[str, bool] = {}
        self.is_prospect: bool | None = None
        self.error = ""

    def take(self) -> Gap:
        """Return ASKED_BEFORE if there was a look-up this hour, BUSY if the network's share is used up."""
        if self.network is not None and not take_look_up(
            self.question.domain, self.network, at=self.taken_at
        ):
            return Gap.BUSY
        claimed: dict[str, Any] = {
            "asked_at": self.taken_at,
            "answered_at": None,
            "failed_at": None,
            "verdicts": {},
            "conditions": {},
            "expires_at": self.taken_at + LIFE,  # a claim lasts as long as the row does
        }
        is_free = Q(asked_at=None) | Q(asked_at__lte=self.taken_at - LIFE)
        if self.question.get_rows().filter(is_free).update(**claimed):
            return Gap.NONE
        _, is_ours = KnownRecipient.objects.get_or_create(
            domain=self.question.domain, recipient_key=self.question.key, defaults=claimed
        )
        return Gap.NONE if is_ours else Gap.ASKED_BEFORE

    def keep(self, record: ProspectRecord | None) -> None:
        """Store the audience matches, and which tags and stages exist; not the record."""
        conditions = self.question.judge_conditions(record)
        self._get_rows().update(
            verdicts=self.question.judge(record, only=self.question.answered_by_record),
            conditions=conditions,
            answered_at=timezone.now(),
            expires_at=self.taken_at + LIFE,
            is_tallied=self.is_tallied,
        )
        self.conditions, self.is_prospect = conditions, record is not None
        if record is not None:
            found = {"tags": record.tags, "stage": [record.stage_id], "persona": [record.persona_id]}
            note_values(self.question.domain, found)

    def give_up(self, error: IntegrationError) -> None:
        """Keep the claim if the request may have been sent: there is no further look-up within the hour."""
        self.error = str(error)
        self._get_rows().update(**({"failed_at": timezone.now()} if error.has_left else {"asked_at": None}))

    def _get_rows(self) -> QuerySet[KnownRecipient]:
        return self.question.get_rows().filter(asked_at=self.taken_at)


def _await_other(question: Question, row: KnownRecipient | None, *, ends_at: float) -> LookedUp:
    """Return the result of an earlier look-up within the hour, if the audiences have not changed."""
    while row is not None and row.asked_at is not None:
        until = row.asked_at + LIFE
        if row.answered_at is not None:
            known = {
                pk for pk, verdict in row.verdicts.items() if fits(verdict, question.audiences.get(int(pk)))
            }
            is_whole = known.issuperset(map(str, question.answered_by_record))
            return LookedUp(Gap.NONE if is_whole else Gap.ASKED_BEFORE, until, row.conditions)
        is_under_way = row.asked_at > timezone.now() - timedelta(seconds=LOOKUP_SECONDS)
        if not is_under_way or row.failed_at is not None:
            return LookedUp(Gap.ASKED_BEFORE, until)
        if time.monotonic() + POLL_SECONDS > ends_at:
            return LookedUp(Gap.LATE)
        time.sleep(POLL_SECONDS)
        row = question.get_rows().first()
    return LookedUp(Gap.FAILED)


def fits(verdict: Verdict, conditions: tuple[Clause, ...] | None) -> bool:
    """Return whether the match is of the present audience."""
    return conditions is not None and verdict[0] == digest_conditions(conditions)
