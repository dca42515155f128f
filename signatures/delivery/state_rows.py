"""State rows: what a plan reads of each mailbox."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class StateRow(NamedTuple):
    """What a plan reads of one mailbox: less than models of its four rows hold, as there are many."""

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
        """Whether the reason is what Outreach answered to the last write; as MailboxState says."""
        return self.attempted_at is not None and self.reason_code == self.attempt_code

    @property
    def is_lock_unknown(self) -> bool:
        """Whether the sender's lock state is unknown; as Sender says."""
        return self.sender__person__retired_at is None and self.sender__person__is_locked is None
