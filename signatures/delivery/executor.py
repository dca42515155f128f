"""Executor: carries a run out, chunk by chunk: reads live, decides, claims, writes, records.

Why something is written is decided by the run's `Strategy`. A killed process loses nothing: a row is claimed, with
what will be written, before the write can leave.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from integrations.errors import ConnectionLost, IntegrationError
from integrations.outage_waits import is_outage
from portal.leases import Lease, LeaseLost
from portal.trace import traced
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState
from signatures.releases.compose import Refusal

from .base import GatewayLike, OpenGateway, ReportProgress, RunStopped, Strategy, Write
from .failure_watch import FailureWatch
from .publisher import Publisher, StopWatch
from .read_back import PEOPLE_PER_READ, read_back_some, read_live, take_people
from .recorder import Decided, Recorder
from .runs import complete_run, end_run, fail_run, load_run, stop_run, take_run, wait_out
from .stage_limits import StageLimits
from .stages import begin_next_stage

logger = logging.getLogger(__name__)

THREADS = 8
AHEAD_SECONDS = 3.0  # how old a reading may be before it is repeated
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
    run = load_run(run_id)
    if lease is not None:
        with traced(run.trace, run=run.job_label, domain=run.domain.name):
            try:
                with lease.kept():
                    _work_until_it_ends(run, lease, make_strategy, open_gateway, progress)
            except LeaseLost:
                logger.warning("%s was taken over by another process.", run.job_label.capitalize())
            run = load_run(run_id)
            logger.info(
                "%s: %s, %s of %s mailboxes", run.job_label.capitalize(), run.state, run.settled, run.planned
            )
    return run


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
        self._limits = StageLimits(run)
        failures = FailureWatch()
        self._recorder = Recorder(run, lease, strategy, gateway, failures, progress)
        self._publisher = Publisher(
            run, lease, gateway, self._stops, self._limits, failures, record=self._recorder.record
        )
        self._ahead: tuple[float, Decided] | None = None

    def work(self) -> None:
        """Give every planned row an outcome, stage by stage. Raises RunStopped, or what ends or suspends the run."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool:
            try:
                while True:
                    if rows := self._next_rows():
                        self._go_on_or_stop()
                        self._work_chunk(self._take_ahead() or self._decide(rows), pool)
                    elif not self._end_stage():
                        return
            finally:
                self._publisher.halt()

    def _go_on_or_stop(self) -> None:
        stop = self._limits.get_stop_reason() or self._stops.look_up()
        if stop is not None:
            raise RunStopped(stop)

    def _next_rows(self) -> list[Delivery]:
        """Return the planned rows of the next 150 people, of the present stage and what was planned again."""
        planned = Delivery.objects.filter(
            run=self._run, state=DeliveryState.PLANNED, stage__lte=self._run.stage
        ).order_by("id")
        return take_people(planned[: PEOPLE_PER_READ * 3])

    def _end_stage(self) -> bool:
        """Read a stage back that has nothing left to write, and return whether another one begins."""
        if len(self._run.stages) > 1:
            while read_back_some(self._run, self._lease, self._gateway):
                self._go_on_or_stop()
            self._limits.count_again()
            self._go_on_or_stop()
        began = begin_next_stage(self._run, self._lease)
        self._limits.count_again()
        return began

    def _decide(self, rows: list[Delivery]) -> Decided:
        """Return what to do with each row, given what its mailbox holds now."""
        # '' where nobody knows the owner any more.
        people = {row.person_remote_id for row in rows} - {""}
        found, unreadable = read_live(self._gateway, sorted(people))
        readable = [row for row in rows if row.person_remote_id not in unreadable]
        decided: Decided = [(row, UNREADABLE) for row in rows if row.person_remote_id in unreadable]
        decided += zip(readable, self._strategy.decide(readable, found), strict=True)
        return decided

    def _look_ahead(self) -> None:
        """Decide the next rows while the present ones are sent; after an error they are decided again in their turn."""
        with suppress(IntegrationError):
            if rows := self._next_rows():
                self._ahead = (time.monotonic(), self._decide(rows))

    def _take_ahead(self) -> Decided | None:
        """Return what was decided ahead, unless it is too old."""
        ahead, self._ahead = self._ahead, None
        return ahead[1] if ahead is not None and time.monotonic() - ahead[0] < AHEAD_SECONDS else None

    def _work_chunk(self, decided: Decided, pool: ThreadPoolExecutor) -> None:
        for _, decision in decided:
            if isinstance(decision, Refusal):
                self._limits.refuse(decision.code)
        if self._limits.get_stop_reason() is not None:
            decided = [pair for pair in decided if not isinstance(pair[1], Write)]
        self._publisher.publish(self._recorder.claim(decided), pool, meanwhile=self._look_ahead)
