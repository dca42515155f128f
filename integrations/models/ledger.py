"""Ledger: runs of the sync, rejected records, and the append-only entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.models import Domain
from portal.trace import get_trace

from .connection import Connection


class RunState(models.TextChoices):
    """How far a run is; queued, running and waiting are unfinished."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Incomplete"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"
    SKIPPED = "skipped", "Skipped"


UNFINISHED = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
READ_TO_END = (RunState.COMPLETE, RunState.INCOMPLETE)
"""Every listing came to its end; where too many of its records were rejected the run is incomplete."""


class SyncKind(models.TextChoices):
    PEOPLE = "people", "Changed users"
    CHANGES = "changes", "Changes"
    FULL = "full", "Full sync"
    MAILBOXES = "mailboxes", "All mailboxes"


class SyncRun(models.Model):
    """One reading of the directory: what was read, what changed, and why it ended as it did."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="sync_runs")
    kind = models.CharField(max_length=16, choices=SyncKind.choices)
    trace = models.CharField(
        max_length=32,
        blank=True,
        default=get_trace,
        db_default="",
        help_text="Id of the request or schedule that began it.",
    )
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    started_by_label = models.CharField(
        max_length=255, help_text="A person's address, 'schedule' or 'command'."
    )
    confirms_removals = models.BooleanField(
        default=False, help_text="Somebody confirmed the removal of many rows."
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="A running run whose lease has expired was killed."
    )
    resume_at = models.DateTimeField(null=True, blank=True)
    waits = models.PositiveSmallIntegerField(
        default=0, help_text="How often it had to wait; the pauses grow with it."
    )
    phase = models.CharField(max_length=32, blank=True, help_text="teams, people or mailboxes")
    cause = models.TextField(
        blank=True, help_text="Why it failed, waits or was held; a sentence for a person."
    )
    calls = models.PositiveIntegerField(default=0)
    teams_read = models.PositiveIntegerField(default=0)
    people_read = models.PositiveIntegerField(default=0)
    mailboxes_read = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    retired = models.PositiveIntegerField(default=0)
    held_removals = models.PositiveIntegerField(
        default=0, help_text="Rows not retired because too many were missing at once."
    )
    rejected = models.PositiveIntegerField(
        default=0, help_text="Records that do not fit and were not stored."
    )
    unknown_values = models.JSONField(
        default=list,
        blank=True,
        help_text="Attributes that were missing or did not fit, each with its number of records.",
    )
    people_watermark = models.DateTimeField(
        null=True, blank=True, help_text="The newest change of a person that was read."
    )
    mailboxes_watermark = models.DateTimeField(null=True, blank=True)
    is_totalled = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="The kept totals of metrics contain it."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(state__in=["queued", "running", "waiting"]),
                name="one_unfinished_sync_per_connection",
            )
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"]),
            models.Index(fields=["finished_at"]),
            models.Index(fields=["connection", "kind", "state", "finished_at"], name="syncs_by_outcome"),
            models.Index(fields=["connection"], condition=Q(is_totalled=False), name="syncs_to_total"),
        ]

    def __str__(self) -> str:
        return f"sync {self.pk} of {self.connection}"

    @property
    def is_finished(self) -> bool:
        return self.state not in UNFINISHED

    @property
    def total_changes(self) -> int:
        return self.added + self.changed + self.retired


class RejectedRecord(models.Model):
    """A record that does not fit and was not stored; its earlier values stay as they were.

    One row for each record, until it fits or is gone. Those without an id share one row for their kind.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="rejected_records")
    kind = models.CharField(max_length=16, help_text="person, team or mailbox")
    remote_id = models.CharField(max_length=64, blank=True, help_text="Empty where it came without one.")
    reason = models.TextField()
    number = models.PositiveIntegerField(default=1, help_text="How many records this row stands for.")
    run = models.ForeignKey(
        SyncRun,
        null=True,
        on_delete=models.SET_NULL,
        related_name="rejected_records",
        help_text="The last run that rejected it.",
    )
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "remote_id"], name="one_row_per_rejected_record"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.remote_id}: {self.reason}"


class AppendOnlyError(Exception):
    """Somebody tried to change or delete rows that can only be added."""


class LedgerQuerySet(models.QuerySet["LedgerEntry", "LedgerEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Ledger entries are never changed.")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("Ledger entries are never deleted.")

    def delete_pruned(self, chain_id: int, last_sequence: int) -> int:
        """Delete the chain's entries up to this one; the database refuses it without a checkpoint."""
        gone = self.filter(domain=chain_id or None, sequence__lte=last_sequence)
        return super(LedgerQuerySet, gone).delete()[0]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        if kwargs.get("update_conflicts"):
            raise AppendOnlyError("Ledger entries are never changed.")
        return super().bulk_create(objs, *args, **kwargs)


class Outcome(models.TextChoices):
    ANSWERED = "answered", "Answered"
    FAILED = "failed", "Failed"
    REFUSED = "refused", "Blocked locally"
    UNKNOWN = "unknown", "Sent, no response seen"
    DONE = "done", "Done"


class LedgerEntry(models.Model):
    """One call that left, one that was refused before it left, or one admin action. Never changed.

    Outlives its subjects: names and ids are kept as text. Written by `integrations.ledger.chain` alone, and guarded
    in the database itself (see `integrations.ledger.triggers`).
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    domain = models.ForeignKey(
        Domain, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    domain_name = models.CharField(max_length=253)
    connection_ref = models.CharField(max_length=36, blank=True)
    action = models.CharField(max_length=40, help_text="'call', or the admin action, such as 'connected'.")
    endpoint = models.CharField(max_length=40, blank=True)
    method = models.CharField(max_length=8, blank=True)
    scope = models.CharField(max_length=64, blank=True)
    verb = models.CharField(max_length=8, blank=True, help_text="read or write")
    fields = models.JSONField(default=list, help_text="Names of the fields asked for or written.")
    object_ref = models.CharField(
        max_length=255, blank=True, help_text="Id or address of the one object it was about."
    )
    actor_label = models.CharField(max_length=255, blank=True, help_text="The person, where a person acted.")
    job = models.CharField(max_length=64, blank=True, help_text="Such as 'sync 12' or 'delivery 5'.")
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    status = models.PositiveSmallIntegerField(default=0, help_text="HTTP status; 0 where no answer came.")
    times = models.PositiveIntegerField(
        default=1, help_text="How many calls this entry stands for; every write has its own entry."
    )
    item_count = models.PositiveIntegerField(default=0, help_text="Objects in the replies.")
    detail = models.TextField(blank=True)
    trace = models.CharField(  # noqa: DJ001 - a column that may be NULL leaves table and triggers as they are
        max_length=32,
        null=True,
        blank=True,
        help_text="Id of the request or schedule that caused it, as in logs; empty where there was none.",
    )
    sequence = models.PositiveBigIntegerField(help_text="Its place in its domain's chain, from 1.")
    previous_digest = models.CharField(max_length=64, help_text="Of the entry before it in the chain.")
    digest = models.CharField(
        max_length=64,
        help_text="SHA-256 of all other columns except the row's id; see `integrations.ledger.digests`.",
    )

    objects = LedgerQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        base_manager_name = "objects"  # Django's own would change and delete
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["domain", "sequence"], name="one_entry_per_place"),
            models.UniqueConstraint(
                fields=["sequence"], condition=Q(domain=None), name="one_entry_per_place_of_no_domain"
            ),
        ]
        # What the page filters by, each read from its newest end; the figures come from LedgerDay.
        indexes = [
            models.Index(fields=["domain", "-id"]),
            models.Index(fields=["domain", "at"]),
            models.Index(fields=["domain", "scope", "verb", "-sequence"], name="ledger_by_scope"),
            models.Index(fields=["domain", "outcome", "-sequence"], name="ledger_by_outcome"),
            models.Index(fields=["domain", "job", "-sequence"], name="ledger_by_job"),
            models.Index(fields=["domain", "actor_label", "-sequence"], name="ledger_by_person"),
            models.Index(fields=["domain", "verb", "-sequence"], name="ledger_by_verb"),
            models.Index(fields=["action", "-id"], name="ledger_acts"),
            models.Index(fields=["-id"], name="ledger_newest_acts", condition=~Q(action="call")),
            models.Index(
                fields=["domain", "object_ref", "-sequence"],
                name="ledger_writes_by_mailbox",
                condition=Q(verb="write"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.endpoint} {self.outcome}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("Ledger entries are never changed.")
        # Inserting and nothing else: with a known id Django would try an update first.
        super().save(force_insert=True, using=kwargs.get("using"))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("Ledger entries are never deleted.")
