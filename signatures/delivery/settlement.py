"""Settlement: gives the row of a write its outcome, from what Outreach answered, or from its silence."""

from __future__ import annotations

from concurrent.futures import Future

from integrations.connector import MailboxRecord
from integrations.errors import (
    ItemError,
    NotFound,
    RateLimited,
    Rejected,
    UnexpectedReply,
    Unreachable,
    WritesNotAllowed,
)
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState

from .base import Batch, Placed, RunStopped, Stop, Write
from .digest import digest
from .failure_watch import SHORT_WAIT_SECONDS, Backoff, FailureWatch, SilenceWatch
from .stage_limits import StageLimits

MOST_ATTEMPTS = 3
LONG_STALLS = 8  # in a row: an hour of pauses, in which readings were answered and writes were not
FEW = 5  # mailboxes left
OUTCOME_UNKNOWN = (Unreachable, UnexpectedReply)  # of a write: only reading tells whether it was applied
REFUSAL_CODES: dict[type[ItemError], str] = {NotFound: "gone", Rejected: "rejected"}

Sent = Future[MailboxRecord | None]


class Settlement:
    """Settles the writes of one run, in the thread that records them, and counts what was left unanswered."""

    def __init__(self, run: DeliveryRun, limits: StageLimits, failures: FailureWatch) -> None:
        self._run = run
        self._limits = limits
        self._failures = failures
        self.silence = SilenceWatch()
        self.backoff = Backoff(self.silence)

    def settle(self, write: Write, sent: Sent, batch: Batch) -> None:
        """Put the outcome of one write on its row. Raises what ends the run."""
        row = write.row
        try:
            record = sent.result()
        except WritesNotAllowed as error:
            raise RunStopped(Stop(DeliveryRunState.WAITING, error.message, SHORT_WAIT_SECONDS)) from error
        except RateLimited as error:
            self.backoff.wait_for(error)
            if error.retry_after_seconds > SHORT_WAIT_SECONDS:
                raise
        except ItemError as error:
            code = REFUSAL_CODES.get(type(error), "refused")
            batch.finish(row, DeliveryState.REFUSED, "refused", code, error.message)
            self.silence.answer()
        except OUTCOME_UNKNOWN as error:
            self._settle_unanswered(row, error, batch)
        except BaseException:
            row.attempts += 1
            raise
        else:
            if record is not None:
                self._settle_delivered(write, record, batch)

    def _settle_delivered(self, write: Write, record: MailboxRecord, batch: Batch) -> None:
        row = write.row
        row.returned_sha256 = digest(record.signature_html)
        sent, held = row.rendered_sha256, row.returned_sha256
        new_html = "" if held == sent else record.signature_html
        batch.placed.append(Placed(row, sent, held, write.version_id, write.has_banner, new_html))
        batch.finish(row, DeliveryState.DELIVERED, "delivered")
        self.silence.answer()

    def _settle_unanswered(self, row: Delivery, error: Unreachable | UnexpectedReply, batch: Batch) -> None:
        """Count an attempt of unknown outcome; the next reading tells whether it was applied."""
        row.attempts += 1
        self.silence.miss(row.mailbox_remote_id, error)
        if row.attempts >= MOST_ATTEMPTS and self._is_mailbox_at_fault(row):
            code = "unreachable" if isinstance(error, Unreachable) else "unreadable"
            reason = f"{error.message} Tried {row.attempts} times."
            batch.finish(row, DeliveryState.FAILED, "failed", code, reason)
            self._failures.fail()
            self._limits.refuse(code)

    def _is_mailbox_at_fault(self, row: Delivery) -> bool:
        """Return whether Outreach answers writes, but none to this mailbox."""
        if self.silence.is_silent(row.mailbox_remote_id):
            return True
        return self._run.stalls >= LONG_STALLS and self._run.planned - self._run.settled < FEW
