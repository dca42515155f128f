"""Drift check: reads mailboxes back into the mirror, so that their statuses say what was edited; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from integrations.models import READ_TO_END, Connection, Mailbox, SyncKind, SyncRun
from integrations.sync import runs
from integrations.sync.one_person import read_mailboxes
from integrations.sync.row_store import in_batches
from portal.models import Domain, User
from signatures.models import HAND_EDITS, MailboxState, Placement, Sender, Snapshot

from .after_sync import follow_mirror
from .base import DeliveryBlocked
from .permission import get_deliverable_connection
from .placements import get_account_keys
from .status import refresh_sender


@dataclass(frozen=True, slots=True)
class Drifted:
    """A mailbox that no longer holds what we wrote. holds_original: its owner put the original back."""

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


def check_drift(domain: Domain, *, actor: str) -> DriftReport:
    """Return how the mailboxes we placed signatures in compare with that, by a sync of all mailboxes now.

    untouched: mailboxes in which we have placed nothing.
    Raises: DeliveryBlocked where the connection cannot be read or the reading did not come to its end.
    """
    connection = get_deliverable_connection(domain)
    try:
        run = runs.carry_out(request_reading(connection, actor=actor).pk)
    except runs.SyncRefused as refused:
        raise DeliveryBlocked(str(refused)) from refused
    if run.state not in READ_TO_END:
        raise DeliveryBlocked(run.cause)
    follow_mirror(run)
    mailboxes = Mailbox.objects.filter(connection=connection, retired_at=None)
    report = DriftReport()
    placed = _get_placed(connection)
    for chunk in in_batches(mailboxes.order_by("pk").values_list("remote_id", flat=True).iterator()):
        _add(connection, chunk, placed, report)
        placed.difference_update(chunk)
    report.missing = sorted(placed)
    return report


def request_reading(connection: Connection, *, actor: str, by: User | None = None) -> SyncRun:
    """Return a sync of all mailboxes that waits to be carried out. Raises: runs.SyncRefused."""
    return runs.request_sync(connection, kind=SyncKind.MAILBOXES, actor=actor, by=by)


def check_sender(sender: Sender, *, actor: str) -> DriftReport:
    """Return how one person's mailboxes compare with what we placed, each read from Outreach now.

    Raises: DeliveryBlocked where the connection cannot be read, and members of `integrations.errors`.
    """
    connection = get_deliverable_connection(sender.domain)
    person_id = sender.person.remote_id
    listed = read_mailboxes(connection, person_id, job="mailbox check", actor_label=actor)
    refresh_sender(sender)
    known = Mailbox.objects.filter(connection=connection, person_remote_id=person_id, retired_at=None)
    ids = set(known.values_list("remote_id", flat=True))
    report = DriftReport(missing=sorted(ids - listed))
    _add(connection, sorted(ids & listed), _get_placed(connection, sorted(ids)), report)
    return report


def _get_placed(connection: Connection, mailbox_ids: list[str] | None = None) -> set[str]:
    """Return the ids of mailboxes we placed a signature in; of these mailboxes, or all."""
    placed = Placement.objects.filter(
        domain=connection.domain_id, account_key__in=get_account_keys(connection)
    )
    if mailbox_ids is not None:
        placed = placed.filter(mailbox_remote_id__in=mailbox_ids)
    return set(placed.values_list("mailbox_remote_id", flat=True))


def _add(connection: Connection, mailbox_ids: list[str], placed: set[str], report: DriftReport) -> None:
    """Count these mailboxes by their stored status."""
    states = MailboxState.objects.filter(
        mailbox__connection=connection, mailbox__remote_id__in=mailbox_ids, status__in=HAND_EDITS
    )
    drifted = [state.mailbox for state in states.select_related("mailbox").order_by("mailbox")]
    originals = Snapshot.objects.filter(
        domain=connection.domain_id,
        account_key__in=get_account_keys(connection),
        mailbox_remote_id__in=[mailbox.remote_id for mailbox in drifted],
    )
    held = {row.mailbox_remote_id: row.original_html for row in originals}
    report.edited += [
        Drifted(mailbox.remote_id, mailbox.email, held.get(mailbox.remote_id) == mailbox.signature_html)
        for mailbox in drifted
    ]
    ours = placed.intersection(mailbox_ids)
    report.matching += len(ours) - len(drifted)
    report.untouched += len(mailbox_ids) - len(ours)
