"""Read-back: reads mailboxes live, and compares those of a stage with what Outreach said they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction
from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.errors import UnreadableRecord
from integrations.models import Connection
from integrations.sync.mirror import Mirror
from portal.db import update_rows
from portal.leases import Lease
from signatures.models import Delivery, DeliveryRun, DeliveryState

from .base import GatewayLike
from .digest import digest
from .status import refresh_states

PEOPLE_PER_READ = 150


def read_live(gateway: GatewayLike, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
    """Return the people's mailboxes by id, and the people of whom a record cannot be read.

    A reading with an unreadable record is repeated in halves, so that only the record's owner is left out.
    Any other error of the gateway passes through.
    """
    if not people:
        return {}, set()
    try:
        return {record.remote_id: record for record in gateway.read_mailboxes(people)}, set()
    except UnreadableRecord:
        if len(people) == 1:
            return {}, set(people)
    half = len(people) // 2
    found, unreadable = read_live(gateway, people[:half])
    more, also_unreadable = read_live(gateway, people[half:])
    return found | more, unreadable | also_unreadable


def read_back_some(run: DeliveryRun, lease: Lease, gateway: GatewayLike) -> bool:
    """Read back the delivered mailboxes of the next 150 people; return whether there were any left to read."""
    unread = run.deliveries.filter(state=DeliveryState.DELIVERED, read_back_at=None).order_by("id")
    rows = take_people(unread[: PEOPLE_PER_READ * 3])
    if not rows:
        return False
    found, _ = read_live(gateway, sorted({row.person_remote_id for row in rows} - {""}))
    gateway.flush()
    now, differing = timezone.now(), []
    for row in rows:
        record = found.get(row.mailbox_remote_id)
        row.read_back_at, row.read_back_sha256 = now, digest(record.signature_html) if record else ""
        if record is not None and row.read_back_sha256 != row.returned_sha256:
            differing.append((row, record))
    with transaction.atomic():
        lease.renew()
        update_rows(rows, ["read_back_at", "read_back_sha256"])
        _note_differing(run.connection, differing)
    return True


def _note_differing(connection: Connection, differing: Sequence[tuple[Delivery, MailboxRecord]]) -> None:
    """The mirror shows what was read, and the status of these mailboxes follows."""
    if differing:
        Mirror(connection, at=timezone.now()).put_mailboxes([record for _, record in differing])
        refresh_states(connection, sender_ids={row.sender_id for row, _ in differing if row.sender_id})


def take_people(rows: Iterable[Delivery]) -> list[Delivery]:
    """Return the first rows, of at most 150 people: all mailboxes of a person in one read."""
    people: set[str] = set()
    taken: list[Delivery] = []
    for row in rows:
        if row.person_remote_id not in people and len(people) == PEOPLE_PER_READ:
            break
        people.add(row.person_remote_id)
        taken.append(row)
    return taken
