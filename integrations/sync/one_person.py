"""One person: reads somebody's mailboxes into the mirror now, between two syncs."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from integrations.connection.sessions import open_session
from integrations.models import Connection

from .mirror import Mirror


def read_mailboxes(
    connection: Connection, person_remote_id: str, *, job: str, actor_label: str = ""
) -> frozenset[str]:
    """Mirror a person's mailboxes as Outreach holds them now; return the ids it listed.

    One that is not listed stays in the mirror: only a complete listing tells that it is gone.
    Raises members of `integrations.errors`.
    """
    at = timezone.now()
    with open_session(connection, job=job, actor_label=actor_label, background=False) as session:
        found = session.connector.read_mailboxes([person_remote_id])
    with transaction.atomic():
        Mirror(connection, at=at).put_mailboxes(found)
    return frozenset(record.remote_id for record in found)
