"""What leaving does to mailboxes, asked of whoever places signatures; the door does not know them by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.models import Connection
from integrations.signals import left_behind_asked, restoration_asked


@dataclass(frozen=True, slots=True)
class Restoration:
    """Before leaving, only `total` is known; while and after, the rest tells how far it went.

    total: mailboxes that hold, or held, a signature delivered through this connection.
    conflicts: edited since our last write, and left as they are.
    failed: could not be put back, whatever the reason.
    owed: may still hold our signature: not reached yet, or not put back when tried.
    run_id: the run that puts the originals back; None before it began.
    waits_for: why nothing moves just now, and since when; '' while it gets on.
    goes_on_at: when it is tried again by itself. asks: it does not go on by itself, a person decides.
    """

    total: int = 0
    restored: int = 0
    conflicts: int = 0
    failed: int = 0
    owed: int = 0
    run_id: int | None = None
    waits_for: str = ""
    waits_since: datetime | None = None
    goes_on_at: datetime | None = None
    asks: bool = False

    @property
    def settled(self) -> int:
        return self.restored + self.conflicts + self.failed


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A mailbox that did not get its original back. is_conflict: somebody edited it since, and it was left."""

    remote_id: str
    email: str
    why: str
    is_conflict: bool


def list_left_behind(connection: Connection) -> list[LeftBehind]:
    """Return every mailbox that the restore of this leaving left as it is, by address."""
    answers: list[tuple[Any, Any]] = left_behind_asked.send(sender=Connection, connection=connection)
    left = [each for _, answer in answers for each in answer]
    return sorted(left, key=lambda each: (each.email, each.remote_id))


def get_restoration(connection: Connection) -> Restoration:
    """Return the first answer to the question, or an restoration of nothing where nobody places anything."""
    answers: list[tuple[Any, Any]] = restoration_asked.send(sender=Connection, connection=connection)
    return next((answer for _, answer in answers if isinstance(answer, Restoration)), Restoration())
