"""Signature service: what integrations asks of the app that writes signatures, which it does not import."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from integrations.models import Connection
from integrations.trouble import Trouble
from portal.models import Domain


@dataclass(frozen=True, slots=True)
class Restoration:
    """How far originals were restored. Before a disconnect, only `total` and `owed` are known.

    total: mailboxes that hold, or held, a signature delivered through this connection.
    conflicts: edited since our last write, and left as they are.
    failed: could not be restored, whatever the reason.
    owed: may still hold our signature: not reached yet, or not restored when tried.
    run_id: the run that restores the originals; None before it began.
    waits_for: why nothing moves just now, and since when; '' while it gets on.
    goes_on_at: when it is tried again automatically. asks: it waits until a person decides.
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


@dataclass(frozen=True, slots=True)
class WrittenText:
    """One write of a delivery or a restore. path: of the page that shows what was written, '' where it is not kept."""

    email: str
    path: str


class SignatureService(Protocol):
    """Answered by `signatures.delivery.restore_report`."""

    def describe_restore(self, connection: Connection) -> Restoration:
        """Return what a disconnect would do to mailboxes, or how far the restore of this one has gone."""

    def list_left_behind(self, connection: Connection) -> list[LeftBehind]:
        """Return every mailbox that the restore of this disconnect left as it is, by address."""

    def find_written(
        self, domain: Domain, writes: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], WrittenText]:
        """Return (job, mailbox id) -> what was written, for those of the ledger's writes that are still known."""

    def find_held(self, domain: Domain, connection_ref: str) -> dict[str, str]:
        """Return mailbox id -> path of the page that shows what we wrote there last over this connection."""

    def list_troubles(self, connection: Connection) -> list[Trouble]:
        """Return deliveries and restores over this connection that need a person."""

    def note_told(self, findings: Iterable[tuple[int, str]]) -> None:
        """Remember that a mail told of these edits."""

    def give_up_restoring(self, connection: Connection, *, actor: str) -> int | None:
        """End the restore of this disconnect; return how many mailboxes it leaves, None where it is at work."""


_registered: list[SignatureService] = []


def register(service: SignatureService) -> None:
    """Let this answer from now on; called once, when the apps are ready."""
    _registered[:] = [service]


def get_signature_service() -> SignatureService:
    """Return what was registered."""
    return _registered[0]
