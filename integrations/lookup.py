"""Live reads beyond the mirror, for verification, pages and commands; never inside a choice."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from integrations.connection.lookup_breaker import get_state
from integrations.connection.sessions import open_session

from .connector import MailboxRecord, ProspectRecord
from .errors import IntegrationError, UnexpectedReply
from .models import Connection, LookupState

LOOKUP_SECONDS = 5.0


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
    connection: Connection,
    email: str,
    *,
    asked: Collection[str],
    job: str,
    actor_label: str = "",
    background: bool = False,
) -> ProspectRecord | None:
    """Return what Outreach says of one recipient, or None. Nothing of it is stored.

    asked: names of the attributes that are read, and no others (see `signatures.audiences.conditions`).
    background: no person of ours waits for it, so the calls that are kept for people are not for it.
    The address leaves once at most, and the call ends within LOOKUP_SECONDS. Where it is not known how
    Outreach wants to be asked, an address that nobody can have is asked about first.
    Raises members of `integrations.errors`; `has_left` is False where the address did not leave.
    """
    with open_session(
        connection, job=job, actor_label=actor_label, background=background, hurry_seconds=LOOKUP_SECONDS
    ) as session:
        left_before = session.calls.left
        try:
            how = get_state(connection).how
            if not how:
                how = session.connector.learn_how_to_find()
                LookupState.objects.filter(pk=connection.pk).update(how=how)
            left_before = session.calls.left
            return session.connector.find_prospect(email, asked=asked, how=how)
        except IntegrationError as error:
            error.has_left = session.calls.left > left_before
            if isinstance(error, UnexpectedReply):
                # Perhaps Outreach takes another form by now: it is learnt anew with the next recipient.
                LookupState.objects.filter(pk=connection.pk).update(how="")
            raise
