"""Drift: reads mailboxes back and compares them with what was placed; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from integrations.connection.lifecycle import get_connection
from integrations.connector import MailboxRecord
from integrations.lookup import list_mailboxes, read_signature
from integrations.models import Connection, Mailbox
from portal.models import Domain
from signatures.models import Placement, Sender, Snapshot

from .base import DeliveryBlocked
from .digest import digest
from .permission import say_why_unreadable
from .placements import get_account_keys, get_placements

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Drifted:
    """A mailbox that no longer holds what we placed. holds_original: its owner's own signature is back."""

    mailbox_remote_id: str
    email: str
    holds_original: bool


@dataclass(slots=True)
class DriftReport:
    """matching: mailboxes that hold what we placed. missing: ids that Outreach no longer lists."""

    matching: int = 0
    edited: list[Drifted] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    untouched: int = 0

    @property
    def has_drift(self) -> bool:
        return bool(self.edited or self.missing)


def check_drift(domain: Domain, *, job: str = "drift check", actor: str = "") -> DriftReport:
    """Return how the mailboxes we placed signatures in compare with that, by one live listing.

    untouched: mailboxes in which we have placed nothing.
    Raises: DeliveryBlocked where the connection cannot be read, and members of `integrations.errors`.
    """
    connection = _get_readable(domain)
    report = DriftReport()
    seen: set[str] = set()
    for records in _in_chunks(list_mailboxes(connection, job=job, actor_label=actor)):
        _compare(connection, records, report)
        seen.update(record.remote_id for record in records)
    placed = Placement.objects.filter(domain=domain, account_key__in=get_account_keys(connection))
    report.missing = sorted(set(placed.values_list("mailbox_remote_id", flat=True)) - seen)
    return report


def check_sender(sender: Sender, *, actor: str) -> DriftReport:
    """Return how one person's mailboxes compare with what we placed, each read from Outreach now.

    Raises: as check_drift.
    """
    connection = _get_readable(sender.domain)
    report = DriftReport()
    person_id = sender.person.remote_id
    for mailbox in Mailbox.objects.filter(connection=connection, person_remote_id=person_id, retired_at=None):
        held = read_signature(
            connection,
            person_remote_id=person_id,
            mailbox_remote_id=mailbox.remote_id,
            job="mailbox check",
            actor_label=actor,
        )
        if held is None:
            report.missing.append(mailbox.remote_id)
        else:
            _compare(connection, [MailboxRecord(mailbox.remote_id, mailbox.email, person_id, held)], report)
    return report


def _get_readable(domain: Domain) -> Connection:
    connection = get_connection(domain)
    why_not = say_why_unreadable(connection)
    if connection is None or why_not:
        raise DeliveryBlocked(why_not)
    return connection


def _in_chunks(records: Iterator[MailboxRecord]) -> Iterator[list[MailboxRecord]]:
    chunk: list[MailboxRecord] = []
    for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _compare(connection: Connection, records: list[MailboxRecord], report: DriftReport) -> None:
    placements = get_placements(connection, [record.remote_id for record in records])
    drifted = []
    for record in records:
        placement = placements.get(record.remote_id)
        if placement is None:
            report.untouched += 1
        elif placement.returned_sha256 == digest(record.signature_html):
            report.matching += 1
        else:
            drifted.append(record)
    originals = Snapshot.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=[record.remote_id for record in drifted],
    )
    held = {row.mailbox_remote_id: row.original_html for row in originals}
    report.edited += [
        Drifted(record.remote_id, record.email, held.get(record.remote_id) == record.signature_html)
        for record in drifted
    ]
