"""Gateway: reads and writes signatures of mailboxes for one job; the only write other apps may ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from integrations.connection.pace import Pace, read_pace, store_pace
from integrations.connection.sessions import Session, open_session

from .connector import MailboxRecord
from .models import Connection


class Gateway:
    """Reads and writes signatures for one job. Its methods may be called from several threads.

    Where Outreach says to wait again and again, fewer writes are in flight, and further apart.
    """

    def __init__(self, session: Session, pace: Pace) -> None:
        self._session = session
        self._pace = pace

    def read_mailboxes(self, person_remote_ids: Sequence[str]) -> list[MailboxRecord]:
        """Return the mailboxes of at most 150 people as Outreach holds them now."""
        return self._session.connector.read_mailboxes(person_remote_ids)

    def publish_signature(self, mailbox_remote_id: str, html: str) -> MailboxRecord:
        """Replace one mailbox's signature; returns the mailbox as the reply shows it.

        Raises: Refused, NotFound, Rejected for this mailbox alone; Unreachable where the outcome is
        unknown (read, then decide); the rest of `integrations.errors` ends or suspends the job.
        """
        with self._pace.one_write(self._session.calls.count_limits):
            return self._session.connector.write_signature(mailbox_remote_id, html)

    def flush(self) -> None:
        """Every call so far is in the ledger. Called from the thread that owns the database."""
        self._session.flush()


@contextmanager
def open_gateway(
    connection: Connection,
    *,
    job: str,
    actor_label: str = "",
    background: bool = True,
    for_restoring: bool = False,
) -> Iterator[Gateway]:
    """Open the gateway for one job, such as 'delivery 5'.

    for_restoring: also open while the connection is paused or being disconnected.
    """
    with open_session(
        connection, job=job, actor_label=actor_label, background=background, for_restoring=for_restoring
    ) as session:
        pace = Pace(read_pace(connection))
        try:
            yield Gateway(session, pace)
        finally:
            store_pace(connection, pace.step)
