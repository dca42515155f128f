"""Delivery terms: the values and protocols that runs, the executor and its two strategies share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import F
from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.models import Connection
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, DeliveryState
from signatures.releases.compose import Refusal

PAUSED_CODE = "paused"


class DeliveryBlocked(Exception):
    """A run cannot be planned, started or stopped now; the message says why, to a person."""


class GatewayLike(Protocol):
    """What the executor needs of `integrations.gateway.Gateway`."""

    def read_mailboxes(self, person_remote_ids: Sequence[str]) -> list[MailboxRecord]: ...
    def publish_signature(self, mailbox_remote_id: str, html: str) -> MailboxRecord: ...
    def flush(self) -> None: ...


OpenGateway = Callable[[DeliveryRun], AbstractContextManager[GatewayLike]]
ReportProgress = Callable[[DeliveryRun], None]


@dataclass(slots=True)
class Write:
    """One signature to be written into one mailbox. found_html: what the mailbox held when it was decided.

    has_banner: the sender's banner is in it.
    """

    row: Delivery
    html: str
    found_html: str
    version_id: int | None = None
    has_banner: bool = False


@dataclass(frozen=True, slots=True)
class InPlace:
    """The mailbox holds it without a further write. was_ours: an earlier write of this run put it there."""

    rendered_sha256: str
    held_html: str
    version_id: int | None
    was_ours: bool
    has_banner: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What a mailbox now holds because of us. new_html: its text, where it is not what was kept before the write."""

    row: Delivery
    rendered_sha256: str
    returned_sha256: str
    version_id: int | None
    has_banner: bool = False
    new_html: str = ""


RowDecision = Write | InPlace | Refusal


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ends or waits, and in which state; cause is a sentence for a person, code: the same for pages.

    changes: what else changes on the run with it.
    """

    state: DeliveryRunState
    cause: str
    resume_in_seconds: float | None = None
    code: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


class RunStopped(Exception):
    """The run stops here, for the reason in `stop`."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.cause)
        self.stop = stop


class Strategy(Protocol):
    """What a run is for: a delivery or a restore."""

    def get_stop_reason(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None."""

    def decide(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[RowDecision]:
        """Return what to do with each row, in order, given what the mailboxes hold now."""

    def count_allowed(self) -> int | None:
        """Return how many writes may leave now, None for any number; runs inside the claiming transaction."""

    def wait_for_writes(self) -> Stop:
        """Return how long the run waits after it has used up what it may write."""

    def secure(self, writes: Sequence[Write]) -> None:
        """Store what must be stored before these leave; runs inside the claiming transaction."""

    def record(self, placed: Sequence[Placed]) -> None:
        """Store what mailboxes now hold; runs inside the recording transaction."""

    def note_outcomes(self, rows: Sequence[Delivery]) -> None:
        """Update the status of these rows' mailboxes; runs inside the recording transaction."""

    def get_unsettled_reason(self) -> str:
        """Return why a person has to decide although every row has an outcome, or ''."""


@dataclass(slots=True)
class Batch:
    """Outcomes that are recorded together, and how much each counter of the run rises by them."""

    rows: list[Delivery] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def finish(
        self, row: Delivery, state: DeliveryState, counter: str, code: str = "", reason: str = ""
    ) -> None:
        """Give the row its outcome, which counts as settled and as `counter`."""
        row.state, row.reason_code, row.reason, row.finished_at = state, code, reason, timezone.now()
        row.active_key = None
        self.counts.update(("settled", counter))

    def get_run_changes(self) -> dict[str, object]:
        """Return what changes on the run; whatever was settled ends a row of stalls."""
        changes: dict[str, object] = {name: F(name) + count for name, count in self.counts.items()}
        return changes and {**changes, "stalls": 0, "waiting_since": None}
