"""Subjects: names the mailbox and the person behind the id of a write. Joined when shown; entries hold the id alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Q

from integrations.models import LedgerEntry, Mailbox, Person
from integrations.signature_service import get_signature_service
from portal.models import Domain

MOST = 1_000  # mailboxes that a filter may name at once


class Write(NamedTuple):
    """What a ledger entry says of one write."""

    connection_ref: str
    job: str
    mailbox_id: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose mailbox it is. path: of the page that shows what was written, '' where that is not kept."""

    email: str
    person: str = ""
    path: str = ""


def name_entries(domain: Domain, entries: Iterable[LedgerEntry]) -> dict[int, Subject]:
    """Return entry id -> the mailbox it wrote to, for the writes among the entries."""
    writes = {
        entry.pk: Write(entry.connection_ref, entry.job, entry.object_ref)
        for entry in entries
        if entry.verb == "write" and entry.object_ref
    }
    named = name_writes(domain, writes.values())
    return {pk: named[write] for pk, write in writes.items() if write in named}


def name_writes(domain: Domain, writes: Iterable[Write]) -> dict[Write, Subject]:
    """Return write -> the mailbox, by the mirror of its connection, or by the delivery where that knows it alone."""
    wanted = set(writes)
    ids = {write.mailbox_id for write in wanted}
    mailboxes = {
        (str(row.connection_id), row.remote_id): row
        for row in Mailbox.objects.filter(connection__domain=domain, remote_id__in=ids).only(
            "connection", "remote_id", "email", "person_remote_id"
        )
    }
    owners = {row.person_remote_id for row in mailboxes.values()}
    people = {
        (str(row.connection_id), row.remote_id): str(row)
        for row in Person.objects.filter(connection__domain=domain, remote_id__in=owners)
    }
    texts = get_signature_service().find_written(domain, {(write.job, write.mailbox_id) for write in wanted})
    named = {}
    for write in wanted:
        mailbox = mailboxes.get((write.connection_ref, write.mailbox_id))
        text = texts.get((write.job, write.mailbox_id))
        person = people.get((write.connection_ref, mailbox.person_remote_id), "") if mailbox else ""
        email = mailbox.email if mailbox else text.email if text else ""
        if email:
            named[write] = Subject(email, person, text.path if text else "")
    return named


def find_mailbox_ids(domain: Domain, words: str) -> list[str]:
    """Return the ids of mailboxes whose address, or its person's name or address, holds the words; MOST + 1 at most."""
    people = Person.objects.filter(
        Q(email__icontains=words) | Q(name__icontains=words), connection__domain=domain
    )
    mailboxes = Mailbox.objects.filter(
        Q(email__icontains=words)
        | Q(remote_id=words)
        | Q(person_remote_id__in=people.order_by().values("remote_id")),
        connection__domain=domain,
    )
    return list(mailboxes.order_by().values_list("remote_id", flat=True).distinct()[: MOST + 1])
