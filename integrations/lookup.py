"""Live reads beyond the mirror, for verification, pages and commands; never inside a choice."""

from __future__ import annotations

from collections.abc import Iterator

from .connector import MailboxRecord, ProspectRecord
from .models import Connection
from .sessions import open_session


def list_mailboxes(connection: Connection, *, job: str, actor_label: str = "") -> Iterator[MailboxRecord]:
    """Yield every mailbox as Outreach holds it now. Raises members of `integrations.errors`."""
    with open_session(connection, job=job, actor_label=actor_label, background=False) as session:
        for page in session.connector.list_mailboxes():
            yield from page.records


def read_signature(
    connection: Connection, *, person_remote_id: str, mailbox_remote_id: str, job: str, actor_label: str = ""
) -> str | None:
    """Return the signature one mailbox holds now, or None where Outreach no longer lists it."""
    with open_session(connection, job=job, actor_label=actor_label, background=False) as session:
        found = session.connector.read_mailboxes([person_remote_id])
    return next((mailbox.signature_html for mailbox in found if mailbox.remote_id == mailbox_remote_id), None)


def find_prospect(
    connection: Connection, email: str, *, job: str, actor_label: str = ""
) -> ProspectRecord | None:
    """Return what Outreach says of one recipient, or None. Nothing of it is stored."""
    with open_session(connection, job=job, actor_label=actor_label, background=False) as session:
        return session.connector.find_prospect(email)
