"""Notices: a trouble of a connection that needs a person, and whether that person was mailed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from .connection import Connection


class NoticeKind(models.TextChoices):
    LOST = "lost", "Outreach no longer accepts our access"
    MISCONFIGURED = "misconfigured", "Outreach rejects this portal’s client ID or secret"
    LAPSING = "lapsing", "The Outreach token expires soon"
    INCOMPLETE = "incomplete", "Too many Outreach records were rejected"
    HALTED = "halted", "A delivery stopped: action needed"
    EDITED = "edited", "Signatures were edited in Outreach"


class Audience(models.TextChoices):
    OWNERS = "owners", "Owners"
    MANAGERS = "managers", "Owners and admins"
    STAFF = "staff", "Staff"


class Notice(models.Model):
    """One trouble, from when it was noticed until it was over, for one audience.

    It alone says whether a mail is due: not yet sent, or sent more than a week ago.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=16, choices=NoticeKind.choices)
    audience = models.CharField(max_length=16, choices=Audience.choices)
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When the trouble was found to be over.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the last mail was accepted.")
    times_sent = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(
        default=0, help_text="Consecutive mails that the mail server did not accept."
    )
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="It is being sent, or the next try waits, until then."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "audience"],
                condition=Q(ended_at=None),
                name="one_open_notice_per_trouble_and_audience",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, to {self.audience}"
