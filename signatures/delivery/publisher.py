"""Publisher: sends the writes of one chunk in a few threads, and gives each row its outcome as it arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from integrations.connector import MailboxRecord
from integrations.errors import ItemError
from portal.leases import Lease
from signatures.models import DeliveryRun, DeliveryRunState, DeliveryState

from .base import PAUSED_CODE, Batch, GatewayLike, RunStopped, Stop, Strategy, Write
from .failure_watch import FailureWatch
from .settlement import OUTCOME_UNKNOWN, Sent, Settlement
from .stage_limits import StageLimits

RECORD_EVERY = 50
LOOK_UP_SECONDS = 1.0  # between checks for a pause or a disconnect, which take effect within five seconds


class StopWatch:
    """Looks up, once a second at most while writes are sent, why the run must stop."""

    def __init__(self, run: DeliveryRun, strategy: Strategy) -> None:
        self._run = run
        self._strategy = strategy
        self._looked_at = 0.0

    def look_up(self) -> Stop | None:
        """Return why the run may not go on: a person said so, or nothing may be written; or None."""
        self._looked_at = time.monotonic()
        run = DeliveryRun.objects.select_related("connection").get(pk=self._run.pk)
        return _get_asked_stop_reason(run) or self._strategy.get_stop_reason(run.connection)

    def look_up_if_due(self) -> Stop | None:
        """Return the same, or None where it was looked up less than a second ago."""
        return self.look_up() if time.monotonic() - self._looked_at >= LOOK_UP_SECONDS else None


def _get_asked_stop_reason(run: DeliveryRun) -> Stop | None:
    if run.stop_asked_by_label:
        return Stop(DeliveryRunState.SKIPPED, f"Stopped by {run.stop_asked_by_label}.")
    if run.held_at is not None:
        return Stop(DeliveryRunState.WAITING, f"Paused by {run.held_by_label}.", code=PAUSED_CODE)
    return None


class Publisher:
    """Sends writes and has their rows settled; `record` stores each batch of outcomes."""

    def __init__(
        self,
        run: DeliveryRun,
        lease: Lease,
        gateway: GatewayLike,
        stops: StopWatch,
        limits: StageLimits,
        failures: FailureWatch,
        *,
        record: Callable[[Batch], None],
    ) -> None:
        self._lease = lease
        self._gateway = gateway
        self._stops = stops
        self._limits = limits
        self._record = record
        self._halted = threading.Event()
        self._failures = failures
        self._settlement = Settlement(run, limits, failures)

    def halt(self) -> None:
        """Send nothing more; what is being sent now still arrives."""
        self._halted.set()

    def publish(
        self, writes: Sequence[Write], pool: ThreadPoolExecutor, *, meanwhile: Callable[[], None]
    ) -> None:
        """Send every write and record its outcome, or plan it again; then wait where Outreach needs a moment.

        meanwhile: called once, while they are being sent.
        Raises RunStopped or what Outreach answered, where that ends the run: after all is recorded.
        """
        self._halted.clear()
        self._settlement.silence.begin_round()
        arrived: SimpleQueue[Sent] = SimpleQueue()
        pending: dict[Sent, Write] = {}
        for write in writes:
            sent = pool.submit(self._send, write)
            pending[sent] = write
            sent.add_done_callback(arrived.put)
        self._settle_all(pending, arrived, meanwhile)
        self._settlement.backoff.wait()

    def _send(self, write: Write) -> MailboxRecord | None:
        """Return what the mailbox then holds; None where sending has ended. Runs in a pool thread; changes no row."""
        if self._halted.is_set() or not self._lease.is_current:
            return None
        try:
            record = self._gateway.publish_signature(write.row.mailbox_remote_id, write.html)
        except OUTCOME_UNKNOWN:
            raise
        except ItemError:
            # Counted here and not when it is recorded: by then other threads would have sent more.
            failed, refused = self._failures.fail(), self._limits.refuse()
            if failed or refused:
                self.halt()
            raise
        except BaseException:
            self.halt()
            raise
        self._failures.succeed()
        return record

    def _settle_all(
        self, pending: dict[Sent, Write], arrived: SimpleQueue[Sent], meanwhile: Callable[[], None]
    ) -> None:
        """Settle and record every write. Raises the first thing that ends the run, when all is recorded."""
        ending: BaseException | None = None
        try:
            meanwhile()
        except BaseException as error:
            ending = error
            self.halt()
        batch, recorded_at = Batch(), time.monotonic()
        while pending:
            try:
                self._settle_next(pending, arrived, batch)
                if ending is None:
                    self._refuse_to_go_on()
            except BaseException as error:
                ending = ending or error
                self.halt()
            is_late = time.monotonic() - recorded_at > LOOK_UP_SECONDS
            if len(batch.rows) >= RECORD_EVERY or not pending or is_late:
                self._record(batch)
                batch, recorded_at = Batch(), time.monotonic()
        if ending is not None:
            raise ending

    def _settle_next(self, pending: dict[Sent, Write], arrived: SimpleQueue[Sent], batch: Batch) -> None:
        try:
            sent = arrived.get(timeout=LOOK_UP_SECONDS / 2)
        except Empty:
            return
        write = pending.pop(sent)
        batch.rows.append(write.row)
        write.row.state = DeliveryState.PLANNED  # unless its outcome is known
        self._settlement.settle(write, sent, batch)
        if self._settlement.silence.is_halting:
            self.halt()

    def _refuse_to_go_on(self) -> None:
        """Raise RunStopped where too many writes fail, or the connection no longer lets us write."""
        if self._failures.halt_reason:
            cause = f"{self._failures.halt_reason} Review the reasons, then continue or stop."
            raise RunStopped(Stop(DeliveryRunState.HALTED, cause))
        stop = self._limits.get_stop_reason() or self._stops.look_up_if_due()
        if stop is not None:
            raise RunStopped(stop)
