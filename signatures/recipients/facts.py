"""What the choice needs to know of a recipient: derived facts, kept for a short while; never their record.

A recipient's record in Outreach is read at most once an hour, asked about the live audiences while it is in
memory, and dropped. What stays is which audiences held.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from threading import BoundedSemaphore, Lock
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import connections as db_connections
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from integrations import lookup
from integrations.connection import lookup_breaker
from integrations.connection.lifecycle import get_connection
from integrations.connection.permissions import say_why_no_look_ups
from integrations.connector import ProspectRecord
from integrations.errors import IntegrationError
from integrations.models import Connection
from portal.models import Domain
from signatures.audiences.conditions import (
    Condition,
    Recipient,
    digest_audience,
    get_needed,
    is_in_audience,
    needs_prospect,
)
from signatures.audiences.lists import get_lists_holding
from signatures.audiences.mail_addresses import is_address, normalise
from signatures.audiences.pseudonyms import key_of
from signatures.campaigns.ruleset import Board, load_board
from signatures.campaigns.selection import RecipientFacts
from signatures.models import Decision, KnownRecipient

from . import lookup_share

LIFE = timedelta(hours=1)
ON_TIME_SECONDS = 0.8
PATIENCE_SECONDS = 0.4  # whoever waited so long in vain has seen a failure; a picture waits for less
POLL_SECONDS = 0.03
THREADS = 8  # look-ups at once in one process; while Outreach hangs, no more than these hang with it
_free_threads = BoundedSemaphore(THREADS)

Verdict = list[Any]  # digest of the audience, whether it holds
Verdicts = dict[str, Verdict]


class Gap(StrEnum):
    """Why the recipient's record is not known; NONE where it is, or where no audience asks for it."""

    NONE = ""
    NO_ADDRESS = "no_address"
    NOT_CONNECTED = "not_connected"
    RESTING = "resting"
    BUSY = "busy"
    LATE = "late"
    FAILED = "failed"
    ASKED_BEFORE = "asked_before"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recipient now.

    facts: None where the address is none. With a gap, audiences that need the recipient's record do not hold.
    until: for Gap.ASKED_BEFORE, when the record may be asked for again.
    """

    facts: RecipientFacts | None
    gap: Gap = Gap.NONE
    until: datetime | None = None


def get_cached(domain: Domain, address: str, *, board: Board | None = None) -> RecipientFacts | None:
    """Return what was found out about a recipient within the last hour, or None; asks nobody.

    board: the domain's, where the caller holds it already.
    A campaign whose audience changed since then does not count as matched.
    """
    if not is_address(address):
        return None
    key = key_of(domain, address)
    now = timezone.now()
    row = KnownRecipient.objects.filter(domain=domain, recipient_key=key, expires_at__gt=now).first()
    board = board or load_board(domain, since=now)
    if row is None and board.audiences:
        return None
    matched = _get_matched(row.verdicts, board) if row else frozenset()
    return RecipientFacts(key, matched, count_shown(domain, key, board, at=now))


def get_facts(
    domain: Domain, address: str, *, within: float, board: Board | None = None, network: str | None = None
) -> Known:
    """Return what is known of a recipient, asking Outreach where a live audience needs it.

    within: seconds until this returns, whatever Outreach does; an answer that comes later is of use to the
        next who asks. Never call it inside a transaction: the look-up has a database connection of its own.
    board: the domain's, where the caller holds it already.
    network: of a reader without login who asks; the look-up then comes out of the readers' share.
    """
    if not is_address(address):
        return Known(None, Gap.NO_ADDRESS)
    ends_at = time.monotonic() + within
    now = timezone.now()
    board = board or load_board(domain, since=now)
    question = make_question(domain, address, board, asked=get_asked(board, at=now))
    gap, until = _ask_if_needed(question, ends_at=ends_at, network=network)
    verdicts = _keep(question, question.judge(None, only=_get_local(board))) if board.audiences else {}
    shown = count_shown(domain, question.key, board, at=now)
    return Known(RecipientFacts(question.key, _get_matched(verdicts, board), shown), gap, until)


def make_question(domain: Domain, address: str, board: Board, *, asked: frozenset[str]) -> Question:
    """Return what is asked about one address. asked: the attributes of their record, and no others."""
    return Question(
        domain=domain,
        key=key_of(domain, address),
        address=normalise(address),
        list_ids=get_lists_holding(domain, address),
        audiences=board.audiences,
        asked=asked,
    )


def get_asked(board: Board, *, at: datetime) -> frozenset[str]:
    """Return the attributes that audiences of campaigns running now, or within the hour, ask about."""
    live = [rule.id for rule in board.campaigns if not rule.is_paused and rule.starts_at <= at + LIFE]
    return frozenset().union(*(get_needed(board.audiences.get(pk, ())) for pk in live))


def get_fields_asked(domain: Domain) -> frozenset[str]:
    """Return the prospect attributes that a look-up would name now: those of live audiences, and no others."""
    now = timezone.now()
    return get_asked(load_board(domain, since=now), at=now)


@dataclass(frozen=True, slots=True)
class Question:
    """One recipient, and what is asked about them; lives as long as the asking."""

    domain: Domain
    key: str
    address: str
    list_ids: frozenset[str]
    audiences: Mapping[int, tuple[Condition, ...]]
    asked: frozenset[str]

    def judge(self, record: ProspectRecord | None, *, only: Iterable[int]) -> Verdicts:
        """Return what each of these audiences says; without a record, none that needs one holds."""
        recipient = self._get_recipient(record)
        return {
            str(pk): [digest_audience(self.audiences[pk]), is_in_audience(self.audiences[pk], recipient)]
            for pk in only
        }

    def judge_conditions(self, record: ProspectRecord | None) -> dict[str, bool]:
        """Return digest -> whether it holds, of each condition on an attribute that was asked for."""
        recipient = self._get_recipient(record)
        asked = {
            digest_audience([one]): one
            for conditions in self.audiences.values()
            for one in conditions
            if one.attribute.name in self.asked
        }
        return {digest: is_in_audience([one], recipient) for digest, one in asked.items()}

    def judge_local(self) -> dict[str, bool]:
        """Return digest -> whether it holds, of each condition that needs no record."""
        recipient = self._get_recipient(None)
        return {
            digest_audience([one]): is_in_audience([one], recipient)
            for conditions in self.audiences.values()
            for one in conditions
            if not one.attribute.needs_prospect
        }

    def _get_recipient(self, record: ProspectRecord | None) -> Recipient:
        return with_record(Recipient(self.address.rpartition("@")[2], self.list_ids), record)

    @property
    def answered_by_record(self) -> list[int]:
        """Ids of the campaigns whose audience the record, with the attributes asked for, can answer."""
        return [pk for pk, conditions in self.audiences.items() if get_needed(conditions) <= self.asked]


def with_record(recipient: Recipient, record: ProspectRecord | None) -> Recipient:
    """Return the recipient with what their record in Outreach says; without one, no claim about it holds."""
    if record is None:
        return recipient
    ids = {
        "owner": record.owner_id,
        "stage": record.stage_id,
        "persona": record.persona_id,
        "account": record.account_id,
    }
    return Recipient(recipient.email_domain, recipient.list_ids, {**record.attributes, **ids}, record.tags)


def _ask_if_needed(question: Question, *, ends_at: float, network: str | None) -> tuple[Gap, datetime | None]:
    """The recipient's record is asked for, where an audience needs it and it was not within the hour."""
    if not question.asked:
        return Gap.NONE, None
    row = _get_row(question)
    now = timezone.now()
    if row is not None and row.asked_at and row.asked_at > now - LIFE:
        return _await_other(question, row, ends_at=ends_at)
    connection = get_connection(question.domain)
    if connection is None or say_why_no_look_ups(connection):
        return Gap.NOT_CONNECTED, None
    if not _free_threads.acquire(blocking=False):
        return Gap.BUSY, None
    asking: Future[None] | None = None
    trial = _Trial(connection)
    try:
        if not lookup_breaker.may_try(connection):
            return Gap.RESTING, None
        if network is not None and not lookup_share.take_look_up(question.domain, network, at=now):
            lookup_breaker.note_trial_unused(connection)
            return Gap.BUSY, None
        if not claim_hour(question.domain, question.key, at=now):
            lookup_breaker.note_trial_unused(connection)
            return _await_other(question, _get_row(question), ends_at=ends_at)
        asking = _get_threads().submit(_look_up, trial, question, now, network is not None)
        asking.add_done_callback(lambda _: _free_threads.release())
    finally:
        if asking is None:
            _free_threads.release()
    try:
        asking.result(timeout=max(ends_at - time.monotonic(), 0))
    except TimeoutError:
        if time.monotonic() - trial.started_at >= PATIENCE_SECONDS:
            trial.end(is_well=False)
        return Gap.LATE, None
    except (IntegrationError, DatabaseFailure):
        return Gap.FAILED, None
    return Gap.NONE, None


def _await_other(
    question: Question, row: KnownRecipient | None, *, ends_at: float
) -> tuple[Gap, datetime | None]:
    """Somebody asked within the hour: their answer serves, once it is there and fits the audiences of now."""
    while row is not None and row.asked_at is not None:
        if row.answered_at is not None:
            known = {
                pk for pk, verdict in row.verdicts.items() if _fits(verdict, question.audiences.get(int(pk)))
            }
            is_whole = known.issuperset(map(str, question.answered_by_record))
            return (Gap.NONE, None) if is_whole else (Gap.ASKED_BEFORE, row.asked_at + LIFE)
        is_under_way = row.asked_at > timezone.now() - timedelta(seconds=lookup.LOOKUP_SECONDS)
        if not is_under_way or row.failed_at is not None:
            return Gap.ASKED_BEFORE, row.asked_at + LIFE
        if time.monotonic() + POLL_SECONDS > ends_at:
            return Gap.LATE, None
        time.sleep(POLL_SECONDS)
        row = _get_row(question)
    return Gap.FAILED, None


class _Trial:
    """One look-up as the circuit breaker counts it: once, by whoever is first to know how it went.

    That is the caller where it waited in vain; the breaker need not wait until a hung request is given up.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.started_at = time.monotonic()
        self._lock = Lock()
        self._is_over = False

    def end(self, *, is_well: bool) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        (lookup_breaker.note_answer if is_well else lookup_breaker.note_failure)(self.connection)


def _look_up(trial: _Trial, question: Question, claimed_at: datetime, background: bool) -> None:
    """Runs in a thread of its own. What the record says of the audiences is kept; the record is not."""
    is_on_time = False
    try:
        record = lookup.find_prospect(
            trial.connection, question.address, asked=question.asked, job="look-up", background=background
        )
        keep_answer(question, record, claimed_at=claimed_at, is_tallied=False)
        is_on_time = time.monotonic() - trial.started_at <= ON_TIME_SECONDS
    except IntegrationError as error:
        give_up(question.domain, question.key, claimed_at=claimed_at, has_left=error.has_left)
        raise
    finally:
        trial.end(is_well=is_on_time)
        db_connections.close_all()


def keep_answer(
    question: Question, record: ProspectRecord | None, *, claimed_at: datetime, is_tallied: bool
) -> dict[str, bool]:
    """What the record says of the audiences is kept, and the record is not; return what each condition says.

    is_tallied: True keeps the answer out of the audiences' tallies.
    """
    conditions = question.judge_conditions(record)
    KnownRecipient.objects.filter(
        domain=question.domain, recipient_key=question.key, asked_at=claimed_at
    ).update(
        verdicts=question.judge(record, only=question.answered_by_record),
        conditions=conditions,
        answered_at=timezone.now(),
        expires_at=claimed_at + LIFE,
        is_tallied=is_tallied,
    )
    return conditions


def claim_hour(domain: Domain, key: str, *, at: datetime) -> bool:
    """Return whether this caller, and no other of any process, may ask for the recipient in this hour."""
    claim: dict[str, Any] = {
        "asked_at": at,
        "answered_at": None,
        "failed_at": None,
        "verdicts": {},
        "conditions": {},
        "expires_at": at + LIFE,  # a claim stands as long as the row does
    }
    is_free = Q(asked_at=None) | Q(asked_at__lte=at - LIFE)
    if KnownRecipient.objects.filter(is_free, domain=domain, recipient_key=key).update(**claim):
        return True
    _, is_ours = KnownRecipient.objects.get_or_create(domain=domain, recipient_key=key, defaults=claim)
    return is_ours


def give_up(domain: Domain, key: str, *, claimed_at: datetime, has_left: bool) -> None:
    """The claim stands where the address may have left: it is not asked for again within the hour."""
    given_up = {"failed_at": timezone.now()} if has_left else {"asked_at": None}
    KnownRecipient.objects.filter(domain=domain, recipient_key=key, asked_at=claimed_at).update(**given_up)


def _rows(question: Question) -> QuerySet[KnownRecipient]:
    return KnownRecipient.objects.filter(domain=question.domain, recipient_key=question.key)


def _get_row(question: Question) -> KnownRecipient | None:
    return _rows(question).first()


def _keep(question: Question, local: Verdicts) -> Verdicts:
    """What needs no record is kept beside what did, and both are returned."""
    now = timezone.now()
    row, _ = KnownRecipient.objects.get_or_create(
        domain=question.domain,
        recipient_key=question.key,
        defaults={"verdicts": local, "expires_at": now + LIFE},
    )
    is_over = row.expires_at <= now
    verdicts = {**({} if is_over else row.verdicts), **local}
    if is_over or verdicts != row.verdicts:
        # Not over an answer that came meanwhile: it has judged the local ones as well.
        _rows(question).filter(answered_at=row.answered_at).update(
            verdicts=verdicts, expires_at=now + LIFE if is_over else row.expires_at
        )
    return verdicts


def count_shown(
    domain: Domain, key: str, board: Board, *, at: datetime, until: datetime | None = None
) -> dict[int, int]:
    """Return campaign id -> how often this recipient got it within its cap's days; capped campaigns only.

    until: leaves out what was decided after it, for a look back; None counts what came meanwhile as well.
    """
    caps = board.get_caps()
    if not caps:
        return {}
    counted = {
        f"shown{campaign_id}": Count(
            "pk", filter=Q(campaign_id=campaign_id, at__gt=at - timedelta(days=cap.days))
        )
        for campaign_id, cap in caps.items()
    }
    rows = Decision.objects.filter(domain=domain, recipient_key=key, campaign_id__in=caps)
    if until is not None:
        rows = rows.filter(at__lte=until)
    totals = rows.aggregate(**counted)
    return {campaign_id: totals[f"shown{campaign_id}"] for campaign_id in caps}


def _get_local(board: Board) -> list[int]:
    return [pk for pk, conditions in board.audiences.items() if not needs_prospect(conditions)]


def _fits(verdict: Verdict, conditions: tuple[Condition, ...] | None) -> bool:
    return conditions is not None and verdict[0] == digest_audience(conditions)


def _get_matched(verdicts: Verdicts, board: Board) -> frozenset[int]:
    return frozenset(
        pk
        for pk, conditions in board.audiences.items()
        if (verdict := verdicts.get(str(pk))) and verdict[1] and _fits(verdict, conditions)
    )


@cache
def _get_threads() -> ThreadPoolExecutor:
    """Made with the first look-up, so that it belongs to the process that asks."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="look-up")
