"""Live reading: what the mailboxes of a few people hold now, less the records that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.connector import MailboxRecord
from integrations.errors import UnexpectedReply, UnreadableRecord

from .job import GatewayLike

UNREAD_IN_A_ROW = 10  # one odd record among a hundred takes seven halvings to find


class LiveReader:
    """Reads people's mailboxes; a reply that cannot be used is asked for again in halves, down to one person.

    A person is given up as unreadable only where others could be read before and after: where nothing can
    be read, it is no odd record but an outage, and the reply's error is raised.
    """

    def __init__(self, gateway: GatewayLike) -> None:
        self._gateway = gateway
        self._found: dict[str, MailboxRecord] = {}
        self._readable: list[str] = []  # people of the latest part that was read
        self._unsure: dict[str, UnexpectedReply] = {}
        self._unreadable: set[str] = set()
        self._unread_in_a_row = 0

    def read(self, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
        """Return mailboxes by id, and the people whose mailboxes cannot be read. Raises: UnexpectedReply."""
        self._found, self._readable, self._unsure, self._unreadable = {}, [], {}, set()
        self._unread_in_a_row = 0
        if people:
            self._read_part(people)
        for person, error in self._unsure.items():
            self._read_again(person, error)
        return self._found, self._unreadable

    def _read_part(self, people: Sequence[str]) -> None:
        try:
            records = self._gateway.read_mailboxes(people)
        except UnexpectedReply as error:
            self._unread_in_a_row += 1
            if len(people) == 1:
                self._note_unread(people[0], error)
            if self._unread_in_a_row > UNREAD_IN_A_ROW:
                raise
            if len(people) == 1:
                return
        else:
            self._unread_in_a_row = 0
            self._readable = list(people)
            self._found.update((record.remote_id, record) for record in records)
            return
        half = len(people) // 2
        self._read_part(people[:half])
        self._read_part(people[half:])

    def _note_unread(self, person: str, error: UnexpectedReply) -> None:
        if isinstance(error, UnreadableRecord):
            self._unreadable.add(person)
        else:
            self._unsure[person] = error

    def _read_again(self, person: str, error: UnexpectedReply) -> None:
        """A person who could not be read alone is read once more, and somebody who could be, as a comparison."""
        if not self._readable:
            raise error
        try:
            records = self._gateway.read_mailboxes([person])
        except UnexpectedReply:
            self._gateway.read_mailboxes(self._readable[:1])  # raises where nothing can be read any more
            self._unreadable.add(person)
        else:
            self._found.update((record.remote_id, record) for record in records)
