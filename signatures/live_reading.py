"""Live reading: what the mailboxes of a few people hold now, less the records that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.connector import MailboxRecord
from integrations.errors import UnreadableRecord

from .job import GatewayLike

UNREAD_IN_A_ROW = 10  # one odd record among a hundred takes seven halvings to find


class LiveReader:
    """Reads people's mailboxes; where one record cannot be read, they are read in halves, down to its owner.

    Any other reply that cannot be used has been asked for again in smaller pages by then: it is an outage,
    and its error is raised. So it is where no record at all can be read.
    """

    def __init__(self, gateway: GatewayLike) -> None:
        self._gateway = gateway
        self._unread_in_a_row = 0

    def read(self, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
        """Return mailboxes by id, and the people whose mailboxes cannot be read. Raises: UnexpectedReply."""
        self._unread_in_a_row = 0
        return self._read_part(people) if people else ({}, set())

    def _read_part(self, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
        try:
            records = self._gateway.read_mailboxes(people)
        except UnreadableRecord:
            self._unread_in_a_row += 1
            if self._unread_in_a_row > UNREAD_IN_A_ROW:
                raise
            if len(people) == 1:
                return {}, set(people)
        else:
            self._unread_in_a_row = 0
            return {record.remote_id: record for record in records}, set()
        half = len(people) // 2
        found, unreadable = self._read_part(people[:half])
        more, also_unreadable = self._read_part(people[half:])
        return found | more, unreadable | also_unreadable
