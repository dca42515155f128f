"""Sender imports: files of senders' values, and what each of their rows would change or changed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.models import Domain

from .sender import Sender


class ImportState(models.TextChoices):
    READING = "reading", "Reading"
    PREVIEWED = "previewed", "Not applied"
    UNREADABLE = "unreadable", "Not readable"
    APPLYING = "applying", "Applying"
    APPLIED = "applied", "Applied"
    UNDOING = "undoing", "Undoing"
    UNDONE = "undone", "Undone"


MOVING = (ImportState.READING, ImportState.APPLYING, ImportState.UNDOING)


class RowState(models.IntegerChoices):
    """What a row would do; problems first."""

    REFUSED = 1, "Refused"
    UNKNOWN = 2, "Unknown"
    CHANGED = 3, "Changed"
    NEW = 4, "New"
    SAME = 5, "Same"


class SenderImport(models.Model):
    """A file with values of senders, how it is read, and what became of it. Removed after its retention."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_by_label = models.CharField(max_length=255)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField(help_text="The file, compressed with zlib.")
    encoding = models.CharField(max_length=16)
    separator = models.CharField(max_length=1)
    has_heading = models.BooleanField(default=True)
    headings = models.JSONField(default=list, help_text="The first row, or a number for each column.")
    samples = models.JSONField(default=list, help_text="The first values of each column.")
    columns = models.JSONField(default=list, help_text="Of each column: its merge field, 'email', or ''.")
    removes_empty = models.BooleanField(default=False, help_text="An empty cell removes the value.")
    waits = models.BooleanField(default=False, help_text="Values become drafts.")
    state = models.CharField(max_length=16, choices=ImportState.choices, default=ImportState.READING)
    queued_at = models.DateTimeField(default=timezone.now, help_text="When it was last to be worked on.")
    lease_until = models.DateTimeField(null=True, editable=False)
    lines = models.PositiveIntegerField(default=0, help_text="Of the file, for the progress of reading.")
    lines_read = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Row state -> number of rows.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of what the preview says.")
    problem = models.TextField(blank=True)
    leaves_out = models.BooleanField(default=False, help_text="Refused and unknown rows are left out.")
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True)
    applied_by_label = models.CharField(max_length=255, blank=True)
    applied_number = models.PositiveIntegerField(default=0, help_text="Senders whose values changed.")
    undone_at = models.DateTimeField(null=True)
    undone_by_label = models.CharField(max_length=255, blank=True)
    undone_number = models.PositiveIntegerField(default=0)
    kept_number = models.PositiveIntegerField(
        default=0, help_text="Rows of which the undo kept a value that somebody changed since."
    )

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["domain", "-id"], name="sender_imports_by_domain")]

    def __str__(self) -> str:
        return self.file_name

    def count(self, state: RowState) -> int:
        """Return how many rows are in this state."""
        return int(self.counts.get(str(state.value), 0))

    @property
    def rows_number(self) -> int:
        return sum(self.counts.values())

    @property
    def left_out_number(self) -> int:
        """How many rows cannot be applied."""
        return self.count(RowState.REFUSED) + self.count(RowState.UNKNOWN)

    @property
    def changing_number(self) -> int:
        """How many rows change something."""
        return self.count(RowState.CHANGED) + self.count(RowState.NEW)

    @property
    def is_moving(self) -> bool:
        return self.state in MOVING


class SenderImportRow(models.Model):
    """One row of a file.

    values: merge field -> [the local value before, the new one, what the sender had shown before].
    """

    sender_import = models.ForeignKey(SenderImport, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(help_text="Of the file, where the row ends.")
    address = models.CharField(max_length=320, blank=True)
    sender = models.ForeignKey(Sender, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.PositiveSmallIntegerField(choices=RowState.choices)
    values = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["state", "line"]
        indexes = [
            models.Index(fields=["sender_import", "state", "line"], name="import_rows_by_state"),
            models.Index(fields=["sender_import", "address"], name="import_rows_by_address"),
        ]

    def __str__(self) -> str:
        return f"line {self.line} of import {self.sender_import_id}"
