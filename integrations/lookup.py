"""Lookup: reads prospects from Outreach as they are now; nothing of them is synced.

`look_up` is the one way to ask for a recipient: it owns the threads, the circuit breaker and the deadline.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from threading import BoundedSemaphore, Lock
from typing import Protocol

from django.db import Error as DatabaseFailure
from django.db import connections as db_connections

from integrations.connection import lookup_breaker
from integrations.connection.permissions import get_lookup_block_reason
from integrations.connection.sessions import open_session

from .connector import ProspectRecord
from .errors import Gap, IntegrationError, UnexpectedReply
from .models import Connection, LookupState

LOOKUP_SECONDS = 5.0
ON_TIME_SECONDS = 0.8
PATIENCE_SECONDS = 0.4  # whoever waited so long in vain has seen a failure; a banner image waits for less
THREADS = 8  # look-ups at once in one process; while Outreach hangs, no more than these hang with it
_free_threads = BoundedSemaphore(THREADS)


class Claim(Protocol):
    """The right to look one recipient up, and what becomes of the answer."""

    def take(self) -> Gap:
        """Return NONE where the look-up may be made; called last, when nothing else is in its way."""

    def keep(self, record: ProspectRecord | None) -> None:
        """Take what Outreach answered, however late, in the thread of the look-up."""

    def give_up(self, error: IntegrationError) -> None:
        """Learn that no answer will come, in the thread of the look-up."""


def look_up(
    connection: Connection | None,
    address: str,
    *,
    asked: Collection[str],
    within: float,
    claim: Claim,
    job: str,
    actor_label: str = "",
    background: bool = False,
) -> Gap:
    """Look a recipient up, and return why `claim` has no answer yet; NONE where it has one.

    within: seconds until this returns. An answer that comes later is kept by `claim` all the same. Never call it
        inside a transaction: the look-up has a database connection of its own.
    The rest is as in `find_prospect`.
    """
    ends_at = time.monotonic() + within
    if connection is None or get_lookup_block_reason(connection):
        return Gap.NOT_CONNECTED
    trial = _Trial(connection)

    def ask() -> None:
        is_on_time = False
        try:
            claim.keep(
                find_prospect(
                    connection, address, asked=asked, job=job, actor_label=actor_label, background=background
                )
            )
            is_on_time = time.monotonic() - trial.started_at <= ON_TIME_SECONDS
        except IntegrationError as error:
            claim.give_up(error)
            raise
        finally:
            trial.end(is_well=is_on_time)
            db_connections.close_all()

    asking = _start(ask, connection, claim)
    return asking if isinstance(asking, Gap) else _await(asking, trial, ends_at=ends_at)


def _start(ask: Callable[[], None], connection: Connection, claim: Claim) -> Future[None] | Gap:
    """Begin in a thread of its own, if one is free, look-ups do not rest and the claim is taken."""
    if not _free_threads.acquire(blocking=False):
        return Gap.BUSY
    asking: Future[None] | None = None
    try:
        if not lookup_breaker.may_try(connection):
            return Gap.RESTING
        if refused := claim.take():
            lookup_breaker.note_trial_unused(connection)
            return refused
        asking = _get_threads().submit(ask)
        asking.add_done_callback(lambda _: _free_threads.release())
        return asking
    finally:
        if asking is None:
            _free_threads.release()


def _await(asking: Future[None], trial: _Trial, *, ends_at: float) -> Gap:
    try:
        asking.result(timeout=max(ends_at - time.monotonic(), 0))
    except TimeoutError:
        if time.monotonic() - trial.started_at >= PATIENCE_SECONDS:
            trial.end(is_well=False)
        return Gap.LATE
    except (IntegrationError, DatabaseFailure):
        return Gap.FAILED
    return Gap.NONE


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


@cache
def _get_threads() -> ThreadPoolExecutor:
    """Made with the first look-up, so that it belongs to the process that asks."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="look-up")


def find_prospect(
    connection: Connection,
    email: str,
    *,
    asked: Collection[str],
    job: str,
    actor_label: str = "",
    background: bool = False,
) -> ProspectRecord | None:
    """Return what Outreach says of one recipient, or None. Nothing of it is stored.

    asked: names of the attributes that are read, and no others (see `signatures.conditions.conditions`).
    background: nobody waits for it, so it does not use the calls that are kept for people.
    The address leaves once at most, and the call ends within LOOKUP_SECONDS. Where it is not known how
    Outreach wants to be asked, an address that nobody can have is asked about first.
    Raises members of `integrations.errors`; `has_left` is False where the address did not leave.
    """
    with open_session(
        connection, job=job, actor_label=actor_label, background=background, single_try_seconds=LOOKUP_SECONDS
    ) as session:
        left_before = session.calls.left
        try:
            how = lookup_breaker.get_state(connection).how
            if not how:
                how = session.connector.learn_how_to_find()
                LookupState.objects.filter(pk=connection.pk).update(how=how)
            left_before = session.calls.left
            return session.connector.find_prospect(email, asked=asked, how=how)
        except IntegrationError as error:
            error.has_left = session.calls.left > left_before
            if isinstance(error, UnexpectedReply):
                # Perhaps Outreach takes another form by now: it is learnt anew with the next recipient.
                LookupState.objects.filter(pk=connection.pk).update(how="")
            raise
