"""Directory: teams, people and mailboxes as last read from Outreach. Written by `integrations.sync.runs` alone."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower

from .connection import Connection


class MirrorRow(models.Model):
    """Columns of every mirrored row. A row that Outreach no longer lists is retired, not deleted."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="%(class)ss")
    remote_id = models.CharField(max_length=32)
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of what was mirrored; an equal digest writes nothing."
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(help_text="When a sync last changed this row.")

    class Meta:
        abstract = True


class Team(MirrorRow):
    name = models.CharField(max_length=255)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["connection", "remote_id"], name="one_row_per_team")]

    def __str__(self) -> str:
        return self.name


class Person(MirrorRow):
    email = models.CharField(max_length=255)
    first_name = models.CharField(max_length=255, blank=True)
    last_name = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=511, blank=True)
    title = models.CharField(max_length=255, blank=True)
    phone = models.CharField(max_length=255, blank=True)
    phone_region = models.CharField(
        max_length=255, blank=True, help_text="Country of the phone, as Outreach has it: two letters."
    )
    phone_extension = models.CharField(max_length=255, blank=True)
    custom1 = models.CharField(max_length=255, blank=True)
    custom2 = models.CharField(max_length=255, blank=True)
    custom3 = models.CharField(max_length=255, blank=True)
    custom4 = models.CharField(max_length=255, blank=True)
    custom5 = models.CharField(max_length=255, blank=True)
    is_locked = models.BooleanField(
        null=True,
        default=False,
        help_text="Empty: Outreach did not report it, so nothing is written to this person’s mailboxes.",
    )
    # Ids and not rows: membership is read from both sides, and either side may come first.
    team_ids = models.JSONField(default=list, help_text="Remote ids of the person's teams, sorted.")

    class Meta:
        ordering = ["name", "email"]
        verbose_name_plural = "people"
        constraints = [models.UniqueConstraint(fields=["connection", "remote_id"], name="one_row_per_person")]
        indexes = [models.Index(fields=["connection", "email"])]

    def __str__(self) -> str:
        return self.name or self.email


class Mailbox(MirrorRow):
    email = models.CharField(max_length=255)
    person_remote_id = models.CharField(max_length=32, blank=True)
    signature_html = models.TextField(blank=True, help_text="What the mailbox held when it was last read.")
    is_editable = models.BooleanField(
        null=True, help_text="Empty: Outreach did not report it, so nothing is written to this mailbox."
    )
    is_send_disabled = models.BooleanField(default=False)
    read_at = models.DateTimeField(
        help_text="When a sync last read a changed signature, or the first one after our write."
    )
    written_at = models.DateTimeField(null=True, help_text="When we last wrote to it.")

    class Meta:
        ordering = ["email"]
        verbose_name_plural = "mailboxes"
        constraints = [
            models.UniqueConstraint(fields=["connection", "remote_id"], name="one_row_per_mailbox")
        ]
        indexes = [
            models.Index(fields=["connection", "person_remote_id"]),
            models.Index("connection", Lower("email"), name="mailbox_by_address"),
            models.Index(fields=["connection", "email"]),
            models.Index(fields=["connection", "changed_at"]),
            models.Index(fields=["connection", "read_at"]),
        ]

    def __str__(self) -> str:
        return self.email
