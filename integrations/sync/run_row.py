"""Run row: the counters, the lease and the end of a run, stored while it is carried out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import close_old_connections, transaction
from django.utils import timezone

from integrations.connection.sessions import Session
from integrations.errors import ConnectionLost, IntegrationError, RateLimited
from integrations.faults import record_fault, say_fault
from integrations.models import RunState, SyncRun
from integrations.outage_waits import explain_outage, get_pause, is_outage, say_outage
from portal.leases import Lease, LeaseLost

from .row_store import Tally

STORED = (
    "phase", "calls", "teams_read", "people_read", "mailboxes_read", "added", "changed", "retired", "rejected",
    "unknown_values",
)  # fmt: skip
AT_END = (
    "state", "cause", "resume_at", "finished_at", "waits", "people_watermark", "mailboxes_watermark",
    "held_removals",
)  # fmt: skip
MOST_COUNTED = 32_000  # waits that fit into their column

logger = logging.getLogger(__name__)

Progress = Callable[[SyncRun], None]


class RunRow:
    """The row of one run. Without a lease the run is a preview, and its row is not stored."""

    def __init__(self, run: SyncRun, *, lease: Lease | None, progress: Progress | None) -> None:
        self.run = run
        self._lease = lease
        self._progress = progress
        self._session: Session | None = None
        self._calls_before = run.calls  # of an attempt that had to wait for the allowance

    @contextmanager
    def ending(self, judge: Callable[[], tuple[RunState, str]]) -> Iterator[None]:
        """Store how the run ended, whatever happens inside. judge: state and cause of one that was read to its end."""
        try:
            yield
        except LeaseLost:
            raise
        except ConnectionLost as error:
            self._end(RunState.SKIPPED, error.message)
        except Exception as error:
            if is_outage(error):
                self._wait_out(error)
            elif isinstance(error, IntegrationError):
                self._end(RunState.FAILED, f"{error.message} Nothing that was read before is lost.")
            else:
                self._fail(error)
                raise
        else:
            self._end(*judge())
        finally:
            if self._progress:
                self._progress(self.run)

    @contextmanager
    def counting(self, session: Session) -> Iterator[None]:
        """The calls of the session are counted, however the reading inside ends."""
        self._session = session
        try:
            yield
        finally:
            self._count_calls(session)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Rows, counters and the renewed lease are committed together, or not at all."""
        run, session = self.run, self._session
        with transaction.atomic():
            yield
            if session is not None:
                self._count_calls(session)
            if self._lease is not None:
                self._lease.renew(**{column: getattr(run, column) for column in STORED})
        if session is not None:
            session.flush()
        if self._progress:
            self._progress(run)

    def count(self, tally: Tally) -> None:
        self.run.added += tally.added
        self.run.changed += tally.changed
        self.run.retired += tally.retired

    def _count_calls(self, session: Session) -> None:
        self.run.calls = self._calls_before + session.calls.left

    def _wait_out(self, outage: Exception) -> None:
        """Let the run wait, longer each time; where the database does not answer, the lease expires and it restarts."""
        run = self.run
        logger.warning("Sync %s waits: %s", run.pk, explain_outage(outage))
        close_old_connections()
        pause = get_pause(run.waits + 1, outage)
        if isinstance(outage, RateLimited) and run.waits:
            # The time that a limit names is used once; where limits repeat, the pause grows as after any outage.
            pause = max(pause, get_pause(run.waits))
        run.waits = min(run.waits + 1, MOST_COUNTED)
        try:
            self._end(RunState.WAITING, say_outage(outage), resume_at=timezone.now() + pause)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("Sync %s restarts when its lease expires: %s", run.pk, explain_outage(error))

    def _fail(self, fault: Exception) -> None:
        """End the run by an error of the portal; which and where is in the run, the ledger and the log."""
        run, job = self.run, f"sync {self.run.pk}"
        with transaction.atomic():
            self._end(RunState.FAILED, say_fault(fault, job=job))
            record_fault(fault, connection=run.connection, job=job)

    def _end(self, state: RunState, cause: str, *, resume_at: datetime | None = None) -> None:
        run = self.run
        run.state, run.cause, run.resume_at, run.lease_until = state, cause, resume_at, None
        run.finished_at = None if state == RunState.WAITING else timezone.now()
        if self._lease is not None:
            with suppress(LeaseLost):  # another process has recorded how it ended
                self._lease.release(**{column: getattr(run, column) for column in (*STORED, *AT_END)})
