"""Recorder: stores what was decided for each row before anything is sent, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from portal.db import durable_atomic, update_rows
from portal.leases import Lease
from signatures.models import Delivery, DeliveryRun, DeliveryState
from signatures.releases.compose import Refusal

from .base import (
    Batch,
    GatewayLike,
    InPlace,
    Placed,
    ReportProgress,
    RowDecision,
    RunStopped,
    Strategy,
    Write,
)
from .digest import digest
from .failure_watch import FailureWatch
from .runs import load_run
from .texts import keep_texts

ROW_FIELDS = [
    "state", "reason_code", "reason", "template_version", "found_sha256", "rendered_sha256", "returned_sha256",
    "attempts", "finished_at", "active_key",
]  # fmt: skip

Decided = list[tuple[Delivery, RowDecision]]
"""Rows, each with what is to be done with it."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The rows of one run, as one process that holds it stores them."""

    run: DeliveryRun
    lease: Lease
    strategy: Strategy
    gateway: GatewayLike
    failures: FailureWatch
    progress: ReportProgress | None

    def claim(self, decided: Decided) -> list[Write]:
        """Return the writes that may leave, after storing what they write and what the mailboxes held."""
        with durable_atomic():
            allowed = self.strategy.count_allowed()
            writes = self._prepare(decided, allowed)
        self._report_progress()
        if allowed == 0 and not writes and any(isinstance(decision, Write) for _, decision in decided):
            raise RunStopped(self.strategy.wait_for_writes())
        return writes

    def _prepare(self, decided: Decided, allowed: int | None) -> list[Write]:
        """Store the rows as decided; return as many writes as are allowed, claimed. The other ones stay planned."""
        batch = Batch()
        writes: list[Write] = []
        for row, decision in decided:
            if isinstance(decision, Write) and allowed is not None and len(writes) >= allowed:
                continue
            batch.rows.append(row)
            if isinstance(decision, Write):
                row.state = DeliveryState.CLAIMED
                row.rendered_sha256, row.found_sha256 = digest(decision.html), digest(decision.found_html)
                row.template_version_id = decision.version_id
                writes.append(decision)
            elif isinstance(decision, Refusal):
                batch.finish(row, DeliveryState.REFUSED, "refused", decision.code, decision.reason)
            else:
                self._note_in_place(row, decision, batch)
        keep_texts(self.run.domain_id, [text for each in writes for text in (each.html, each.found_html)])
        self.strategy.secure(writes)
        self._store(batch)
        return writes

    def _note_in_place(self, row: Delivery, found: InPlace, batch: Batch) -> None:
        """Settle a mailbox that already holds its signature, without a write."""
        row.rendered_sha256, row.returned_sha256 = found.rendered_sha256, digest(found.held_html)
        row.template_version_id = found.version_id
        sent, held = row.rendered_sha256, row.returned_sha256
        batch.placed.append(Placed(row, sent, held, found.version_id, found.has_banner, found.held_html))
        if found.was_ours:
            reason = "Confirmed by reading the mailbox again."
            batch.finish(row, DeliveryState.DELIVERED, "delivered", "confirmed", reason)
            self.failures.succeed()
        else:
            reason = "The mailbox already holds this signature."
            batch.finish(row, DeliveryState.SKIPPED, "unchanged", "unchanged", reason)

    def record(self, batch: Batch) -> None:
        """Store the batch's outcomes in the tables, and its calls in the ledger."""
        self.gateway.flush()
        with transaction.atomic():
            self._store(batch)
        self._report_progress()

    def _store(self, batch: Batch) -> None:
        self.lease.renew(**batch.get_run_changes())
        keep_texts(self.run.domain_id, [each.new_html for each in batch.placed])
        self.strategy.record(batch.placed)
        update_rows(batch.rows, ROW_FIELDS)
        self.strategy.note_outcomes([row for row in batch.rows if row.finished_at is not None])

    def _report_progress(self) -> None:
        if self.progress is not None:
            self.progress(load_run(self.run.pk))
