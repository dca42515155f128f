"""Delivery: carries a run out, and decides for each mailbox by what it holds at this moment.

Outreach has no conditional write: an edit made between this reading and the write that follows it,
normally within three seconds, is overwritten and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from django.utils import timezone

from integrations.connector import MailboxRecord
from integrations.gateway import open_gateway
from integrations.models import Connection, ConnectionState
from signatures.models import Delivery, DeliveryRun, DeliveryRunState, Placement, Sender, Snapshot
from signatures.releases.compose import Composed, Composer, Refusal
from signatures.releases.live import get_content, get_live

from .base import GatewayLike, InPlace, OpenGateway, Placed, ReportProgress, RowDecision, Stop, Write
from .digest import digest, reads_the_same
from .drift_policy import get_replaceable
from .executor import carry_out_run
from .left_alone import end_exceptions, get_left_alone
from .mailbox_judgement import get_mailbox_block_reason
from .permission import get_delivery_block_reason, get_write_block_reason
from .placements import (
    get_placements,
    get_snapshots,
    keep_originals,
    record_placements,
    was_written_by_us,
)
from .planning import EDITED, LEFT_ALONE
from .status import note_attempts
from .write_times import count_allowed, get_quiet_reason, wait_for_hour

MOVED = Refusal("moved", "The mailbox was removed in Outreach or has another owner, so nothing was written.")
PERSON_GONE = Refusal("person_gone", "This person is inactive in Outreach, so nothing was written.")


def carry_out(
    run_id: int, *, progress: ReportProgress | None = None, gateway_factory: OpenGateway | None = None
) -> DeliveryRun:
    """Take the delivery as far as it can go now; see `executor.carry_out_run`. Returns the run as it then is.

    progress: called with the run whenever its counts changed, from this thread.
    """
    return carry_out_run(
        run_id,
        kind=DeliveryRun.Kind.DELIVER,
        make_strategy=DeliveryStrategy,
        open_gateway=gateway_factory or _open_gateway,
        progress=progress,
    )


def _open_gateway(run: DeliveryRun) -> AbstractContextManager[GatewayLike]:
    return open_gateway(run.connection, job=run.job_label, actor_label=run.started_by_label)


def get_delivery_stop_reason(connection: Connection) -> Stop | None:
    """Return why a delivery may write nothing now, and what becomes of it, or None."""
    if connection.state == ConnectionState.MISCONFIGURED:
        return Stop(DeliveryRunState.HALTED, get_delivery_block_reason(connection))
    why_not = get_delivery_block_reason(connection)
    if why_not:
        return Stop(DeliveryRunState.SKIPPED, why_not)
    if connection.paused_at is not None:
        return Stop(
            DeliveryRunState.WAITING, "Deliveries are paused. This one continues when they are resumed."
        )
    why_not = get_write_block_reason(connection)
    return Stop(DeliveryRunState.HALTED, why_not) if why_not else None


class DeliveryStrategy:
    """Decides, mailbox by mailbox, from what it holds at this moment and what is assigned at this moment."""

    def __init__(self, run: DeliveryRun) -> None:
        self._run = run
        self._composer = Composer(run.domain, get_content(run.release))
        self._replaceable: Mapping[str, str] = {}

    def get_stop_reason(self, connection: Connection) -> Stop | None:
        """Return why nothing may be written now, or None; a newer release ends it."""
        if self._run.follows_drift_policy and not connection.domain.automatic_delivery:
            return Stop(DeliveryRunState.SKIPPED, "Automatic delivery was switched off meanwhile.")
        live = get_live(self._run.domain)
        if live is None or live.pk != self._run.release_id:
            return Stop(DeliveryRunState.SKIPPED, f"{live or 'Another release'} was published meanwhile.")
        return get_delivery_stop_reason(connection) or get_quiet_reason(self._run.domain, at=timezone.now())

    def count_allowed(self) -> int | None:
        """Return how many more mailboxes the domain's hourly limit allows now; None for any number."""
        return count_allowed(self._run.domain, at=timezone.now())

    def wait_for_writes(self) -> Stop:
        """Return how long the run waits for the next hour's writes."""
        return wait_for_hour(self._run.domain, at=timezone.now())

    def decide(self, rows: Sequence[Delivery], found: Mapping[str, MailboxRecord]) -> list[RowDecision]:
        """Return what to do with each row; the directory's values are read as they are now."""
        senders = Sender.objects.select_related("person").in_bulk(
            {row.sender_id for row in rows if row.sender_id}
        )
        self._composer.load(senders.values())
        ids = [row.mailbox_remote_id for row in rows]
        placements = get_placements(self._run.connection, ids)
        snapshots = get_snapshots(self._run.connection, ids)
        left_alone = {} if self._run.overwrites_left_alone else get_left_alone(self._run.connection, ids)
        if self._run.follows_drift_policy:
            self._replaceable = get_replaceable(self._run.connection, ids)
        return [
            LEFT_ALONE
            if row.mailbox_remote_id in left_alone
            else self._decide_row(
                row,
                senders.get(row.sender_id or 0),
                found.get(row.mailbox_remote_id),
                placements.get(row.mailbox_remote_id),
                snapshots.get(row.mailbox_remote_id),
            )
            for row in rows
        ]

    def _decide_row(
        self,
        row: Delivery,
        sender: Sender | None,
        mailbox: MailboxRecord | None,
        placement: Placement | None,
        snapshot: Snapshot | None,
    ) -> RowDecision:
        if sender is None or sender.person.retired_at is not None:
            return PERSON_GONE
        if not sender.is_active and not sender.is_lock_unknown:
            return PERSON_GONE
        if mailbox is None or mailbox.person_id != sender.person.remote_id:
            return MOVED
        closed = get_mailbox_block_reason(
            is_lock_unknown=sender.is_lock_unknown, is_editable=mailbox.is_editable
        )
        if closed is not None:
            return closed
        composed = self._composer.compose(sender)
        if isinstance(composed, Refusal):
            return composed
        has_banner = sender.banner_key in composed.rendered.html
        if _is_in_place(row, mailbox, composed, placement):
            was_ours = row.attempts > 0
            return InPlace(
                composed.rendered.sha256, mailbox.signature_html, composed.version_id, was_ours, has_banner
            )
        if not self._may_overwrite(row, mailbox) and self._was_edited(row, mailbox, placement, snapshot):
            return EDITED
        return Write(
            row, composed.rendered.html, mailbox.signature_html, composed.version_id, has_banner=has_banner
        )

    def _may_overwrite(self, row: Delivery, mailbox: MailboxRecord) -> bool:
        """Return whether this run overwrites an edit; a policy's run does so only after the grace period."""
        if self._run.follows_drift_policy:
            return self._replaceable.get(row.mailbox_remote_id) == digest(mailbox.signature_html)
        return self._run.overwrites_edits

    def _was_edited(
        self, row: Delivery, mailbox: MailboxRecord, placement: Placement | None, snapshot: Snapshot | None
    ) -> bool:
        """Return whether a person changed this mailbox since we saw it last; a write of ours is no edit."""
        held = digest(mailbox.signature_html)
        if row.attempts and held in (row.found_sha256, row.rendered_sha256):
            return False
        if placement is not None:
            expected = placement.returned_sha256
        elif snapshot is not None and snapshot.restored_at is None:
            expected = digest(snapshot.original_html)
        else:
            return False
        return held != expected and not was_written_by_us(self._run.connection, mailbox.remote_id, held)

    def get_unsettled_reason(self) -> str:
        """Return '': failed mailboxes are listed, and the next delivery tries them again."""
        return ""

    def secure(self, writes: Sequence[Write]) -> None:
        """Keep each mailbox's original before the first write to it."""
        keep_originals(self._run.connection, writes)

    def record(self, placed: Sequence[Placed]) -> None:
        """Store what each mailbox now holds because of us, for later comparisons."""
        connection = self._run.connection
        record_placements(connection, placed, release_id=self._run.release_id)
        end_exceptions(connection, [each.row.mailbox_remote_id for each in placed])

    def note_outcomes(self, rows: Sequence[Delivery]) -> None:
        """Update the status of these mailboxes."""
        note_attempts(self._run.connection, rows)


def _is_in_place(
    row: Delivery, mailbox: MailboxRecord, composed: Composed, placement: Placement | None
) -> bool:
    held, rendered = digest(mailbox.signature_html), composed.rendered
    if held == rendered.sha256:
        return True
    if placement and (placement.rendered_sha256, placement.returned_sha256) == (rendered.sha256, held):
        return True
    # A write without a reply, whose markup Outreach changed: only its content can be compared.
    return (
        row.attempts > 0
        and held != row.found_sha256
        and reads_the_same(mailbox.signature_html, rendered.html)
    )
