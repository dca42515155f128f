"""Executor: carries a run out, chunk by chunk: reads live, decides, claims, writes, records.

It knows nothing of why something is written; the run's `Strategy` does. What the database says at any instant
is enough to go on after a kill: a row is claimed, with what will be written, before the write can leave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import transaction

from integrations.connector import MailboxRecord
from integrations.errors import ConnectionLost, IntegrationError, UnreadableRecord
from integrations.outages import is_outage
from portal.db import durable_atomic, update_rows
from portal.leases import Lease, LeaseLost
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState
from signatures.releases.compose import Refusal

from .base import (
    Batch,
    GatewayLike,
    InPlace,
    OpenGateway,
    Placed,
    ReportProgress,
    RowDecision,
    RunStopped,
    Strategy,
    Write,
)
from .digest import digest
from .publisher import ROW_FIELDS, Publisher, StopWatch
from .runs import complete_run, end_run, fail_run, load_run, stop_run, take_run, wait_out

logger = logging.getLogger(__name__)

PEOPLE_PER_READ = 150
THREADS = 8
UNREADABLE = Refusal("unreadable", "Outreach’s answer about this mailbox cannot be read. Tell the operator.")


def carry_out_run(
    run_id: int,
    *,
    kind: str,
    make_strategy: Callable[[DeliveryRun], Strategy],
    open_gateway: OpenGateway,
    progress: ReportProgress | None,
) -> DeliveryRun:
    """Take the run as far as it can go now: complete, or waiting, halted, failed or skipped with its cause.

    kind: a run of the other kind is never touched, whatever its id.
    Returns at once where another process works on it. Outages are waited out; faults of ours are recorded
    and raised.
    """
    lease = take_run(run_id, kind)
    if lease is not None:
        run = load_run(run_id)
        try:
            _work_until_it_ends(run, lease, make_strategy, open_gateway, progress)
        except LeaseLost:
            logger.warning("Run %s was taken over by another process.", run_id)
    return load_run(run_id)


def _work_until_it_ends(
    run: DeliveryRun,
    lease: Lease,
    make_strategy: Callable[[DeliveryRun], Strategy],
    open_gateway: OpenGateway,
    progress: ReportProgress | None,
) -> None:
    try:
        strategy = make_strategy(run)
        with open_gateway(run) as gateway:
            _Executor(run, lease, strategy, gateway, progress).work()
        complete_run(lease, run, strategy)
    except KeyboardInterrupt:
        cause = "Interrupted by the operator. Continue it when you like."
        lease.release(state=DeliveryRunState.HALTED, cause=cause)
        raise
    except LeaseLost:
        raise
    except RunStopped as stopped:
        stop_run(lease, run, stopped.stop, strategy)
    except Exception as error:
        if is_outage(error):
            wait_out(lease, run, error)
        elif isinstance(error, IntegrationError):
            is_over = isinstance(error, ConnectionLost)
            end_state = DeliveryRunState.SKIPPED if is_over else DeliveryRunState.HALTED
            end_run(lease, run, end_state, error.message)
        else:
            fail_run(lease, run, error)
            raise


class _Executor:
    """One process's work on one run it holds."""

    def __init__(
        self,
        run: DeliveryRun,
        lease: Lease,
        strategy: Strategy,
        gateway: GatewayLike,
        progress: ReportProgress | None,
    ) -> None:
        self._run = run
        self._lease = lease
        self._strategy = strategy
        self._gateway = gateway
        self._stops = StopWatch(run, strategy)
        self._publisher = Publisher(run, gateway, self._stops, record=self._record)
        self._progress = progress

    def work(self) -> None:
        """Give every planned row an outcome. Raises RunStopped, or what ends or suspends the whole run."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool:
            try:
                while rows := self._next_rows():
                    self._work_chunk(rows, pool)
            finally:
                self._publisher.halt()

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

    def _work_chunk(self, rows: list[Delivery], pool: ThreadPoolExecutor) -> None:
        stop = self._stops.look_up()
        if stop is not None:
            raise RunStopped(stop)
        # '' where nobody knows the owner any more.
        people = {row.person_remote_id for row in rows} - {""}
        found, unreadable = _read_live(self._gateway, sorted(people))
        readable = [row for row in rows if row.person_remote_id not in unreadable]
        decided: list[tuple[Delivery, RowDecision]] = [
            (row, UNREADABLE) for row in rows if row.person_remote_id in unreadable
        ]
        decided += zip(readable, self._strategy.decide(readable, found), strict=True)
        self._publisher.publish(self._claim(decided), pool)

    def _claim(self, decided: Sequence[tuple[Delivery, RowDecision]]) -> list[Write]:
        """Have what will be written, and what was there, on disk before any of it leaves."""
        batch = Batch(rows=[row for row, _ in decided])
        writes: list[Write] = []
        for row, decision in decided:
            if isinstance(decision, Write):
                row.state = DeliveryState.CLAIMED
                row.rendered_sha256, row.found_sha256 = digest(decision.html), digest(decision.found_html)
                row.template_version_id = decision.version_id
                writes.append(decision)
            elif isinstance(decision, Refusal):
                batch.finish(row, DeliveryState.REFUSED, "refused", decision.code, decision.reason)
            else:
                self._note_in_place(row, decision, batch)
        with durable_atomic():
            self._strategy.secure(writes)
            self._store(batch)
        self._report_progress()
        return writes

    def _note_in_place(self, row: Delivery, found: InPlace, batch: Batch) -> None:
        """Settle a mailbox that holds it already, without a write."""
        row.rendered_sha256, row.returned_sha256 = found.rendered_sha256, found.held_sha256
        row.template_version_id = found.version_id
        batch.placed.append(
            Placed(row, found.rendered_sha256, found.held_sha256, found.version_id, found.has_banner)
        )
        if found.was_ours:
            reason = "Confirmed by reading the mailbox again."
            batch.finish(row, DeliveryState.DELIVERED, "delivered", "confirmed", reason)
            self._publisher.failures.succeed()
        else:
            reason = "The mailbox holds it already."
            batch.finish(row, DeliveryState.SKIPPED, "unchanged", "unchanged", reason)

    def _record(self, batch: Batch) -> None:
        """Have the batch's outcomes in the tables, and its calls in the ledger."""
        self._gateway.flush()
        with transaction.atomic():
            self._store(batch)
        self._report_progress()

    def _store(self, batch: Batch) -> None:
        self._lease.renew(**batch.get_run_changes())
        self._strategy.record(batch.placed)
        update_rows(batch.rows, ROW_FIELDS)
        self._strategy.note_outcomes([row for row in batch.rows if row.finished_at is not None])

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(load_run(self._run.pk))


def _read_live(gateway: GatewayLike, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
    """Return the people's mailboxes by id, and the people of whom a record cannot be read.

    A reading with an unreadable record is repeated in halves, so that only the record's owner is left out.
    Any other error of the gateway passes through.
    """
    if not people:
        return {}, set()
    try:
        return {record.remote_id: record for record in gateway.read_mailboxes(people)}, set()
    except UnreadableRecord:
        if len(people) == 1:
            return {}, set(people)
    half = len(people) // 2
    found, unreadable = _read_live(gateway, people[:half])
    more, also_unreadable = _read_live(gateway, people[half:])
    return found | more, unreadable | also_unreadable
