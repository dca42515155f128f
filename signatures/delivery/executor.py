"""Carries a run out: chunk by chunk, read live, decide, claim, write with a few threads, record.

Knows nothing of why something is written; `Job` does. What the database says at any instant is enough
to go on after a kill: a row is claimed, with what will be written, before the write can leave.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from django.db import transaction
from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.errors import (
    ConnectionLost,
    IntegrationError,
    ItemError,
    NotFound,
    RateLimited,
    Rejected,
    UnexpectedReply,
    Unreachable,
    WritesNotAllowed,
)
from integrations.models import Connection
from integrations.outages import is_outage
from portal.db import durable_atomic, update_rows
from portal.leases import Lease, LeaseLost
from signatures.authoring.compose import Refusal
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .base import GatewayLike, InPlace, Job, Letter, OpenGateway, Placed, Progress, Stop, Verdict
from .batch import Batch
from .digest import digest
from .endings import complete_run, end_run, fail_run, load_run, put_down, stop_run
from .failure_watch import FailureWatch, SilenceWatch
from .lease import take_run
from .live_reading import read_live

logger = logging.getLogger(__name__)

PEOPLE_PER_READ = 150
THREADS = 8
RECORD_EVERY = 50
LOOK_UP_SECONDS = 1.0  # how often a pause or a disconnect is looked for; the bar is five seconds
MOST_ATTEMPTS = 3
SHORT_WAIT_SECONDS = 5.0  # a longer wait is handed back to the queue
LONG_STALLS = 8  # in a row: an hour of pauses, in which readings were answered and writes were not
FEW = 5  # mailboxes left
OUTCOME_UNKNOWN = (Unreachable, UnexpectedReply)  # of a write: only reading tells whether it was applied
ROW_FIELDS = [
    "state", "reason_code", "reason", "template_version", "found_sha256", "rendered_sha256", "returned_sha256",
    "attempts", "finished_at",
]  # fmt: skip
UNREADABLE = Refusal("unreadable", "Outreach’s answer about this mailbox cannot be read. Tell the operator.")


@dataclass(slots=True)
class _Outcome:
    letter: Letter
    record: MailboxRecord | None = None
    error: BaseException | None = None


def carry_out_run(
    run_id: int,
    *,
    kind: str,
    make_job: Callable[[DeliveryRun], Job],
    open_gateway: OpenGateway,
    progress: Progress | None,
) -> DeliveryRun:
    """The run is as far as it can go now: complete, or waiting, halted, failed or skipped with its cause.

    kind: a run of the other kind is never touched, whatever its id.
    Returns at once where another process works on it. Outages are waited out; faults of ours are recorded
    and raised.
    """
    lease = take_run(run_id, kind)
    if lease is not None:
        run = load_run(run_id)
        try:
            _work_until_it_ends(run, lease, make_job, open_gateway, progress)
        except LeaseLost:
            logger.warning("Run %s was taken over by another process.", run_id)
    return load_run(run_id)


def _work_until_it_ends(
    run: DeliveryRun,
    lease: Lease,
    make_job: Callable[[DeliveryRun], Job],
    open_gateway: OpenGateway,
    progress: Progress | None,
) -> None:
    try:
        job = make_job(run)
        with open_gateway(run) as gateway:
            _Engine(run, lease, job, gateway, progress).work()
        complete_run(lease, run, job)
    except KeyboardInterrupt:
        lease.release(
            state=DeliveryRunState.HALTED, cause="Interrupted by the operator. Continue it when you like."
        )
        raise
    except LeaseLost:
        raise
    except Stop as stop:
        stop_run(lease, run, stop, job)
    except Exception as error:
        if is_outage(error):
            put_down(lease, run, error)
        elif isinstance(error, IntegrationError):
            is_over = isinstance(error, ConnectionLost)
            end_state = DeliveryRunState.SKIPPED if is_over else DeliveryRunState.HALTED
            end_run(lease, run, end_state, error.message)
        else:
            fail_run(lease, run, error)
            raise


class _Engine:
    """One process's work on one run it holds."""

    def __init__(
        self, run: DeliveryRun, lease: Lease, job: Job, gateway: GatewayLike, progress: Progress | None
    ) -> None:
        self._run = run
        self._lease = lease
        self._job = job
        self._gateway = gateway
        self._progress = progress
        self._watch = FailureWatch()
        self._halt_sending = threading.Event()
        self._silence = SilenceWatch()
        self._looked_at = 0.0
        self._short_wait = 0.0

    def work(self) -> None:
        """Every planned row has an outcome. Raises Stop, or what ends or suspends the whole run."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool:
            try:
                while rows := self._next_rows():
                    self._look_up(at_once=True)
                    self._work_chunk(rows, pool)
            finally:
                self._halt_sending.set()

    def _next_rows(self) -> list[Delivery]:
        """Return the planned rows of the next 150 people: all mailboxes of a person in one read."""
        planned = Delivery.objects.filter(run=self._run, state=DeliveryState.PLANNED).order_by("id")
        people: set[str] = set()
        rows: list[Delivery] = []
        for row in planned[: PEOPLE_PER_READ * 3]:
            if row.person_remote_id not in people and len(people) == PEOPLE_PER_READ:
                break
            people.add(row.person_remote_id)
            rows.append(row)
        return rows

    def _look_up(self, *, at_once: bool = False) -> None:
        """Raise Stop where the connection no longer lets us write."""
        if not at_once and time.monotonic() - self._looked_at < LOOK_UP_SECONDS:
            return
        self._looked_at = time.monotonic()
        stop = self._job.say_stop(Connection.objects.get(pk=self._run.connection_id))
        if stop is not None:
            raise stop

    def _work_chunk(self, rows: list[Delivery], pool: ThreadPoolExecutor) -> None:
        # '' where nobody knows the owner any more.
        people = {row.person_remote_id for row in rows} - {""}
        found, unreadable = read_live(self._gateway, sorted(people))
        readable = [row for row in rows if row.person_remote_id not in unreadable]
        verdicts: list[tuple[Delivery, Verdict]] = [
            (row, UNREADABLE) for row in rows if row.person_remote_id in unreadable
        ]
        verdicts += zip(readable, self._job.judge(readable, found), strict=True)
        letters = self._claim(verdicts)
        self._publish(letters, pool)
        self._wait_a_little()

    def _claim(self, verdicts: Sequence[tuple[Delivery, Verdict]]) -> list[Letter]:
        """What will be written, and what was there, is on disk before any of it leaves."""
        batch = Batch(rows=[row for row, _ in verdicts])
        letters: list[Letter] = []
        for row, verdict in verdicts:
            if isinstance(verdict, Letter):
                row.state = DeliveryState.CLAIMED
                row.rendered_sha256, row.found_sha256 = digest(verdict.html), digest(verdict.found_html)
                row.template_version_id = verdict.version_id
                letters.append(verdict)
            elif isinstance(verdict, Refusal):
                _finish(row, DeliveryState.REFUSED, verdict.code, verdict.reason)
                batch.tally.count("refused")
            else:
                self._note_in_place(row, verdict, batch)
        with durable_atomic():
            self._lease.renew(**batch.tally.as_changes())
            self._job.secure(letters)
            self._job.record(batch.placed)
            update_rows(batch.rows, ROW_FIELDS)
        self._tell()
        return letters

    def _note_in_place(self, row: Delivery, found: InPlace, batch: Batch) -> None:
        """A mailbox that holds it already is settled without a write."""
        row.rendered_sha256, row.returned_sha256 = found.rendered_sha256, found.held_sha256
        row.template_version_id = found.version_id
        batch.placed.append(
            Placed(row, found.rendered_sha256, found.held_sha256, found.version_id, found.has_banner)
        )
        if found.was_ours:
            _finish(row, DeliveryState.DELIVERED, "confirmed", "Confirmed by reading the mailbox again.")
            batch.tally.count("delivered")
            self._watch.succeed()
        else:
            _finish(row, DeliveryState.SKIPPED, "unchanged", "The mailbox holds it already.")
            batch.tally.count("unchanged")

    def _publish(self, letters: Sequence[Letter], pool: ThreadPoolExecutor) -> None:
        """Every letter was sent and its outcome recorded, or it is planned again."""
        self._halt_sending.clear()
        self._silence.begin_round()
        arrived: SimpleQueue[_Outcome] = SimpleQueue()
        for letter in letters:
            pool.submit(self._send, letter, arrived)
        waiting, batch, ending = len(letters), Batch(), list[BaseException]()
        recorded_at = time.monotonic()
        while waiting:
            try:
                ending += self._settle(arrived.get(timeout=LOOK_UP_SECONDS / 2), batch)
                waiting -= 1
            except Empty:
                pass
            if not ending:
                ending += self._look_for_end()
            if ending:
                self._halt_sending.set()
            if (
                len(batch.rows) >= RECORD_EVERY
                or not waiting
                or time.monotonic() - recorded_at > LOOK_UP_SECONDS
            ):
                self._record(batch)
                batch, recorded_at = Batch(), time.monotonic()
        if ending:
            raise ending[0]

    def _send(self, letter: Letter, arrived: SimpleQueue[_Outcome]) -> None:
        """Runs in a pool thread; touches no row."""
        if self._halt_sending.is_set():
            arrived.put(_Outcome(letter))
            return
        try:
            record = self._gateway.publish_signature(letter.row.mailbox_remote_id, letter.html)
        except BaseException as error:  # whatever it is, the main thread waits for it and raises what it must
            # Seen here and not only when it is recorded: by then other threads would have sent more.
            halts = (
                self._watch.fail() if isinstance(error, ItemError) else not isinstance(error, OUTCOME_UNKNOWN)
            )
            if halts:
                self._halt_sending.set()
            arrived.put(_Outcome(letter, error=error))
        else:
            self._watch.succeed()
            arrived.put(_Outcome(letter, record=record))

    def _settle(self, outcome: _Outcome, batch: Batch) -> list[BaseException]:
        """Put one outcome on its row and into the batch; return what ends the run, as a list of one or none."""
        row, error, tally = outcome.letter.row, outcome.error, batch.tally
        batch.rows.append(row)
        if outcome.record is not None:
            row.returned_sha256 = digest(outcome.record.signature_html)
            batch.placed.append(
                Placed(
                    row,
                    row.rendered_sha256,
                    row.returned_sha256,
                    outcome.letter.version_id,
                    outcome.letter.has_banner,
                )
            )
            _finish(row, DeliveryState.DELIVERED)
            tally.count("delivered")
            self._silence.answer()
            return []
        row.state = DeliveryState.PLANNED
        if error is None:
            return []  # it never left
        if isinstance(error, WritesNotAllowed):
            return [Stop(DeliveryRunState.WAITING, error.message, SHORT_WAIT_SECONDS)]
        if isinstance(error, RateLimited):
            self._short_wait = max(self._short_wait, error.retry_after_seconds)
            self._silence.limit(error)
            return [error] if error.retry_after_seconds > SHORT_WAIT_SECONDS else []
        if isinstance(error, ItemError):
            code = (
                "gone"
                if isinstance(error, NotFound)
                else "rejected"
                if isinstance(error, Rejected)
                else "refused"
            )
            _finish(row, DeliveryState.REFUSED, code, error.message)
            tally.count("refused")
            self._silence.answer()
            return []
        row.attempts += 1  # whether it was applied is not known; the next reading tells
        if not isinstance(error, OUTCOME_UNKNOWN):
            return [error]
        self._silence.miss(row.mailbox_remote_id, error)
        if self._silence.is_halting:
            self._halt_sending.set()
        if row.attempts >= MOST_ATTEMPTS and self._is_its_own(row):
            code = "unreachable" if isinstance(error, Unreachable) else "unreadable"
            _finish(row, DeliveryState.FAILED, code, f"{error.message} Tried {row.attempts} times.")
            tally.count("failed")
            self._watch.fail()
        return []

    def _look_for_end(self) -> list[BaseException]:
        """Return why sending must end; what is on its way is still recorded."""
        if self._watch.why_halt:
            cause = f"{self._watch.why_halt} Look at the reasons, then continue or leave it."
            return [Stop(DeliveryRunState.HALTED, cause)]
        try:
            self._look_up()
        except Stop as stop:
            return [stop]
        return []

    def _record(self, batch: Batch) -> None:
        """The batch's outcomes are in the tables, and its calls in the ledger."""
        self._gateway.flush()
        with transaction.atomic():
            self._lease.renew(**batch.tally.as_changes())
            self._job.record(batch.placed)
            update_rows(batch.rows, ROW_FIELDS)
        self._tell()

    def _is_its_own(self, row: Delivery) -> bool:
        """Return whether it is this mailbox that is never answered, and not Outreach that answers no write."""
        if self._silence.is_silent(row.mailbox_remote_id):
            return True
        return self._run.stalls >= LONG_STALLS and self._run.planned - self._run.settled < FEW

    def _wait_a_little(self) -> None:
        """Outreach has a moment to recover before the next reading, longer each time it did not answer.

        Raises what it last failed with where that is of no use: the whole run then waits.
        """
        rounds = self._silence.end_round()
        if rounds:
            self._short_wait = max(self._short_wait, min(2.0 ** (rounds - 1), SHORT_WAIT_SECONDS))
        if self._short_wait:
            time.sleep(self._short_wait * random.uniform(1.0, 1.2))  # noqa: S311 - spreads retries, hides nothing
            self._short_wait = 0.0

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(load_run(self._run.pk))


def _finish(row: Delivery, state: DeliveryState, code: str = "", reason: str = "") -> None:
    row.state, row.reason_code, row.reason, row.finished_at = state, code, reason, timezone.now()
