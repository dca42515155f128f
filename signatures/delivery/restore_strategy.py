"""Restore strategy: decides for each mailbox whether its original or an earlier signature is put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.models import Connection, ConnectionState, DisconnectStep
from integrations.sync.row_store import note_written
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryState,
    LeftAloneWhy,
    Placement,
    Sender,
    Snapshot,
)
from signatures.releases.compose import Refusal

from .base import InPlace, Placed, RowDecision, Stop, Write
from .deliver import get_delivery_stop_reason
from .digest import digest
from .left_alone import leave_alone
from .placements import (
    get_account_keys,
    get_placements,
    get_snapshots,
    keep_originals,
    record_placements,
    was_written_by_us,
)
from .runs import CONFLICT_CODE, GONE_CODE, get_owing
from .status import note_attempts
from .texts import find_texts

CONFLICT = Refusal(
    CONFLICT_CODE,
    "Somebody edited this signature in Outreach since we wrote it, so it stays. Its original is stored in Countersign.",
)
GONE = Refusal(GONE_CODE, "Outreach no longer lists this mailbox. Its original is stored in Countersign.")
OWNER_UNKNOWN = Refusal(
    "owner_unknown",
    "The owner of this mailbox is no longer known, so it could not be read. Its original is stored in Countersign.",
)
NOT_KEPT = Refusal("not_kept", "The text of that signature has been deleted, so nothing is written.")
NOT_EDITABLE = Refusal(
    "not_editable",
    "Outreach does not allow our account to edit this mailbox. Its original is stored in Countersign.",
)


def is_restoring(connection: Connection) -> bool:
    """Return whether a disconnect is at its first step, in which the originals go back."""
    return (connection.state, connection.disconnect_step) == (
        ConnectionState.DISCONNECTING,
        DisconnectStep.RESTORING,
    )


class RestoreStrategy:
    """Restores a mailbox that still holds our last write; what a person wrote stays."""

    def __init__(self, run: DeliveryRun) -> None:
        self._run = run

    def get_stop_reason(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None; during a disconnect nothing stops a restore."""
        return (
            None
            if connection.state == ConnectionState.DISCONNECTING
            else get_delivery_stop_reason(connection)
        )

    def count_allowed(self) -> int | None:
        """Return None: a restore has no limit of writes."""
        return None

    def wait_for_writes(self) -> Stop:
        """Never called, as a restore has no limit of writes."""
        raise AssertionError("a restore has no limit of writes")

    def decide(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[RowDecision]:
        """Return what to do with each row."""
        ids = [row.mailbox_remote_id for row in rows]
        snapshots = get_snapshots(self._run.connection, ids)
        placements = get_placements(self._run.connection, ids)
        texts = find_texts(self._run.domain_id, {row.target_sha256 for row in rows})
        keys = dict(
            Sender.objects.filter(pk__in=[row.sender_id for row in rows]).values_list("pk", "banner_key")
        )
        return [
            self._decide_row(
                row, found.get(id), snapshots.get(id), placements.get(id), texts, keys.get(row.sender_id or 0)
            )
            for row, id in zip(rows, ids, strict=True)
        ]

    def _decide_row(
        self,
        row: Delivery,
        mailbox: MailboxRecord | None,
        snapshot: Snapshot | None,
        placement: Placement | None,
        texts: Mapping[str, str],
        banner_key: str | None,
    ) -> RowDecision:
        if mailbox is None or snapshot is None:
            return GONE if row.person_remote_id else OWNER_UNKNOWN
        target = texts.get(row.target_sha256) if row.target_sha256 else snapshot.original_html
        if target is None:
            return NOT_KEPT
        version_id = row.template_version_id if row.target_sha256 else None
        has_banner = banner_key is not None and row.target_sha256 != "" and banner_key in target
        held = digest(mailbox.signature_html)
        if held == digest(target):
            return InPlace(held, mailbox.signature_html, version_id, was_ours=True, has_banner=has_banner)
        if not self._run.overwrites_edits and not self._is_ours(row, held, snapshot, placement):
            return CONFLICT
        if mailbox.is_editable is False:
            return NOT_EDITABLE
        return Write(row, target, mailbox.signature_html, version_id, has_banner=has_banner)

    def _is_ours(
        self, row: Delivery, held_sha256: str, snapshot: Snapshot, placement: Placement | None
    ) -> bool:
        """Return whether the mailbox holds what we wrote last, which after a restore is its original."""
        if placement is not None and placement.returned_sha256 == held_sha256:
            return True
        if snapshot.restored_at is not None and digest(snapshot.original_html) == held_sha256:
            return True
        return was_written_by_us(self._run.connection, row.mailbox_remote_id, held_sha256)

    def secure(self, writes: Sequence[Write]) -> None:
        """Store what an already restored mailbox holds, before it gets an earlier signature of ours again."""
        keep_originals(self._run.connection, [write for write in writes if write.row.target_sha256])

    def record(self, placed: Sequence[Placed]) -> None:
        """Store what these mailboxes hold now: their originals, or an earlier signature."""
        self._record_originals([each for each in placed if not each.row.target_sha256])
        self._record_earlier([each for each in placed if each.row.target_sha256])
        connection = self._run.connection
        if connection.state != ConnectionState.DISCONNECTING:
            held = [
                (each.row.mailbox_remote_id, each.row.mailbox_email, each.returned_sha256) for each in placed
            ]
            leave_alone(connection, held, why=LeftAloneWhy.RESTORED, actor=self._run.started_by_label)

    def _record_earlier(self, placed: Sequence[Placed]) -> None:
        """Record as ours what a delivery once wrote; an owner's edit that a delivery found is not ours."""
        connection = self._run.connection
        delivered = Delivery.objects.filter(
            run__connection=connection,
            run__kind=DeliveryRun.Kind.DELIVER,
            state=DeliveryState.DELIVERED,
            mailbox_remote_id__in=[each.row.mailbox_remote_id for each in placed],
        )
        rows = delivered.values_list("mailbox_remote_id", "rendered_sha256", "returned_sha256")
        known = {(mailbox_id, sha256) for mailbox_id, *digests in rows for sha256 in digests}
        ours = [each for each in placed if (each.row.mailbox_remote_id, each.rendered_sha256) in known]
        record_placements(connection, ours, release_id=None)
        note_written(connection, [each.row.mailbox_remote_id for each in placed], timezone.now())

    def _record_originals(self, placed: Sequence[Placed]) -> None:
        ids = [each.row.mailbox_remote_id for each in placed]
        connection = self._run.connection
        keys = get_account_keys(connection)
        Snapshot.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).update(restored_at=timezone.now())
        Placement.objects.filter(
            domain=connection.domain_id, account_key__in=keys, mailbox_remote_id__in=ids
        ).delete()
        note_written(connection, ids, timezone.now())

    def note_outcomes(self, rows: Sequence[Delivery]) -> None:
        """Update the status of these mailboxes."""
        note_attempts(self._run.connection, rows)

    def get_unsettled_reason(self) -> str:
        """Return what a disconnect asks a person about: mailboxes that may still hold our signature."""
        if not is_restoring(Connection.objects.get(pk=self._run.connection_id)):
            return ""
        owing = get_owing(self._run).count()
        if not owing:
            return ""
        which = "1 mailbox" if owing == 1 else f"{owing:,} mailboxes"
        return (
            f"{which} could not be restored, for the reasons listed. "
            "Correct the causes and try again, or leave the mailboxes as they are."
        )
