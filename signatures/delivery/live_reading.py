"""Live reading: what the mailboxes of a few people hold now, less the records that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

from integrations.connector import MailboxRecord
from integrations.errors import UnreadableRecord

from .base import GatewayLike


def read_live(gateway: GatewayLike, people: Sequence[str]) -> tuple[dict[str, MailboxRecord], set[str]]:
    """Return the people's mailboxes by id, and the people of whom a record cannot be read.

    A reading with an odd record in it is asked for again in halves, so that the record costs its owner alone.
    Where nothing can be read, it is no odd record but an outage: the gateway's error passes through.
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
