"""What a run consists of and what it needs: the words the engine and its jobs speak with each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from integrations.connector import MailboxRecord
from integrations.models import Connection
from signatures.authoring.compose import Refusal
from signatures.models import Delivery, DeliveryRun, DeliveryRunState


class GatewayLike(Protocol):
    """What the engine needs of `integrations.gateway.Gateway`."""

    def read_mailboxes(self, person_remote_ids: Sequence[str]) -> list[MailboxRecord]: ...
    def publish_signature(self, mailbox_remote_id: str, html: str) -> MailboxRecord: ...
    def flush(self) -> None: ...


OpenGateway = Callable[[DeliveryRun], AbstractContextManager[GatewayLike]]
Progress = Callable[[DeliveryRun], None]


@dataclass(slots=True)
class Letter:
    """One signature on its way into one mailbox. found_html: what the mailbox held when it was decided.

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
    held_sha256: str
    version_id: int | None
    was_ours: bool
    has_banner: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """What a mailbox now holds because of us."""

    row: Delivery
    rendered_sha256: str
    returned_sha256: str
    version_id: int | None
    has_banner: bool = False


Verdict = Letter | InPlace | Refusal


class Stop(Exception):
    """The run ends or waits here; cause is a sentence for a person."""

    def __init__(self, state: DeliveryRunState, cause: str, resume_in_seconds: float | None = None) -> None:
        super().__init__(cause)
        self.state = state
        self.cause = cause
        self.resume_in_seconds = resume_in_seconds


class Job(Protocol):
    """What a run is for."""

    def say_stop(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None."""

    def judge(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[Verdict]:
        """Return what to do with each row, in order, given what the mailboxes hold now."""

    def secure(self, letters: Sequence[Letter]) -> None:
        """Store what must be stored before these leave; runs inside the claiming transaction."""

    def record(self, placed: Sequence[Placed]) -> None:
        """Store what mailboxes now hold; runs inside the recording transaction."""

    def say_unsettled(self) -> str:
        """Return why the run asks a person although every row has an outcome, or ''."""
