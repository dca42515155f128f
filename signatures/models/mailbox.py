"""Mailbox states: how each mailbox compares with the live release, stored when it changes."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from integrations.models import Mailbox
from portal.models import Domain

from .sender import Sender


class MailboxStatus(models.TextChoices):
    """How a mailbox compares with what the live release renders for its owner."""

    UP_TO_DATE = "up_to_date", "Up to date"
    ALTERED = "altered", "Altered by Outreach"
    PENDING = "pending", "Pending"
    NEVER = "never", "Never delivered"
    EDITED = "edited", "Edited in Outreach"
    EMPTIED = "emptied", "Emptied in Outreach"
    ACTION_NEEDED = "action_needed", "Action needed"
    LEFT_ALONE = "left_alone", "Left alone"
    INACTIVE = "inactive", "Inactive in Outreach"


class MailboxState(models.Model):
    """One mailbox compared with what the live release renders; worked out in the background.

    rendered_from: digest of all that the rendering was made from, so that nothing is rendered twice.
    rendered_sha256: digest of the rendering; '' where the release renders nothing for this sender.
    held_sha256: digest of what the mailbox held when it was compared. reported_sha256: of the edit that a
    mail listed.
    """

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, primary_key=True, related_name="state")
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    sender = models.ForeignKey(Sender, null=True, on_delete=models.CASCADE, related_name="mailbox_states")
    status = models.CharField(max_length=16, choices=MailboxStatus.choices)
    since = models.DateTimeField(
        default=timezone.now, help_text="When the status, or what was edited, last changed."
    )
    reason_code = models.CharField(max_length=32, blank=True)
    reason = models.TextField(blank=True, help_text="Why action is needed, as a sentence.")
    version_id = models.BigIntegerField(
        null=True, help_text="Id of the template version that the live release renders."
    )
    rendered_from = models.CharField(max_length=64, blank=True)
    rendered_sha256 = models.CharField(max_length=64, blank=True)
    held_sha256 = models.CharField(max_length=64, blank=True)
    reported_sha256 = models.CharField(max_length=64, blank=True)
    attempted_at = models.DateTimeField(
        null=True, help_text="When the last write was refused; empty for none."
    )
    attempt_code = models.CharField(max_length=32, blank=True)
    attempt_reason = models.TextField(blank=True)
    attempt_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["mailbox"]
        indexes = [
            models.Index(fields=["domain", "status"]),
            models.Index(fields=["domain", "version_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox}: {self.get_status_display()}"


IN_PLACE = (MailboxStatus.UP_TO_DATE, MailboxStatus.ALTERED)
HAND_EDITS = (MailboxStatus.EDITED, MailboxStatus.EMPTIED)


class MailboxDay(models.Model):
    """How many of a domain's mailboxes had each status when one day ended, or last on the present one.

    day: in the domain's time zone. counts: MailboxStatus -> number; statuses without mailboxes are left out.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    counts = models.JSONField(default=dict)

    class Meta:
        ordering = ["day"]
        verbose_name = "daily mailbox count"
        verbose_name_plural = "daily mailbox counts"
        constraints = [models.UniqueConstraint(fields=["domain", "day"], name="one_row_per_day")]

    def __str__(self) -> str:
        return f"mailboxes of {self.domain} on {self.day}"


class TeamsCount(models.Model):
    """How many active senders are in exactly these teams, or how many of their mailboxes have one status.

    Stored when it changes, so that no page counts a domain's senders or mailboxes. teams: digest of team_ids.
    status: a MailboxStatus; '' for the senders.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    teams = models.CharField(max_length=64)
    team_ids = models.JSONField(default=list)
    status = models.CharField(max_length=16, blank=True, choices=MailboxStatus.choices)
    number = models.IntegerField(default=0)

    class Meta:
        ordering = ["id"]
        verbose_name = "count of teams"
        verbose_name_plural = "counts of teams"
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "teams", "status"], name="one_count_per_teams_and_status"
            )
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.get_status_display() or 'senders'} in {len(self.team_ids)} teams"


class LeftAloneWhy(models.TextChoices):
    RESTORED = "restored", "Restored"
    KEPT = "kept", "Edit kept"


class LeftAlone(models.Model):
    """A mailbox that no delivery changes until it is managed again: restored, or its owner's edit was kept.

    Keyed like the original, so that it outlives a disconnect. held_sha256: what the mailbox held then.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    account_key = models.CharField(max_length=128, blank=True)
    mailbox_remote_id = models.CharField(max_length=32)
    mailbox_email = models.CharField(max_length=255)
    why = models.CharField(max_length=16, choices=LeftAloneWhy.choices)
    held_sha256 = models.CharField(max_length=64, blank=True)
    decided_by_label = models.CharField(max_length=255)
    decided_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is managed again.")

    class Meta:
        ordering = ["-decided_at"]
        verbose_name = "mailbox left alone"
        verbose_name_plural = "mailboxes left alone"
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "account_key", "mailbox_remote_id"], name="one_exception_per_mailbox"
            )
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_email}, {self.get_why_display().lower()}"
