"""Plan rows: what a plan reads of each mailbox, and what it stores; without a model for each, as there are many."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from portal.db import insert_rows
from signatures.models import Delivery, MailboxState


class StateRow(NamedTuple):
    """What a plan reads of one mailbox."""

    mailbox_id: int
    sender_id: int | None
    status: str
    reason_code: str
    reason: str
    version_id: int | None
    attempted_at: datetime | None
    attempt_code: str
    mailbox__remote_id: str
    mailbox__email: str
    mailbox__person_remote_id: str
    mailbox__is_editable: bool | None
    sender__person__retired_at: datetime | None
    sender__person__is_locked: bool | None

    @property
    def is_attempt(self) -> bool:
        """Whether the reason is what Outreach answered to the last write."""
        return self.attempted_at is not None and self.reason_code == self.attempt_code

    @property
    def is_lock_unknown(self) -> bool:
        """Whether the sender's lock state is unknown; as Sender says."""
        return self.sender__person__retired_at is None and self.sender__person__is_locked is None


def read_states(ids: Collection[int]) -> list[StateRow]:
    """Return the states with these primary keys, as they are now, in the order that plans have."""
    found = MailboxState.objects.filter(pk__in=ids).order_by("sender_id", "pk")
    return [StateRow(*values) for values in found.values_list(*StateRow._fields)]


class PlanRow(NamedTuple):
    """The delivery that a plan stores for one mailbox; its other columns hold their default."""

    run_id: int
    mailbox_remote_id: str
    mailbox_email: str
    person_remote_id: str
    sender_id: int | None
    template_version_id: int | None
    state: str
    reason_code: str = ""
    reason: str = ""
    target_sha256: str = ""


def store_plan_rows(rows: Iterable[PlanRow]) -> None:
    """Store the rows as deliveries. Runs in the caller's transaction."""
    insert_rows(Delivery, columns=PlanRow._fields, rows=rows)
