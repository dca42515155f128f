"""Notices: what needs a person, whether those concerned were told, and where a domain wants to be told."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.models import Domain

from .connection import Connection


class NoticeKind(models.TextChoices):
    LOST = "lost", "Outreach no longer accepts our access"
    MISCONFIGURED = "misconfigured", "Outreach rejects this portal’s client ID or secret"
    LAPSING = "lapsing", "The Outreach token expires soon"
    INCOMPLETE = "incomplete", "Too many Outreach records were rejected"
    CALLS = "calls", "Outreach’s hourly calls are nearly used up"
    HALTED = "halted", "A delivery stopped: action needed"
    EDITED = "edited", "Signatures were edited in Outreach"
    LEDGER = "ledger", "The ledger check failed"
    WORKER = "worker", "A background worker is not running"
    DISK = "disk", "Disk space is low"
    MAILS = "mails", "E-mails are not sent"


class Audience(models.TextChoices):
    """Who is told. The first three by e-mail; the others are addresses of a domain, and of the installation."""

    OWNERS = "owners", "Owners"
    MANAGERS = "managers", "Owners and admins"
    STAFF = "staff", "Staff"
    WEBHOOK = "webhook", "Webhook"
    SLACK = "slack", "Slack"
    OPERATOR_WEBHOOK = "operator_webhook", "The operator’s webhook"
    OPERATOR_SLACK = "operator_slack", "The operator’s Slack"


MAILED = (Audience.OWNERS, Audience.MANAGERS, Audience.STAFF)
OPERATORS = (Audience.STAFF, Audience.OPERATOR_WEBHOOK, Audience.OPERATOR_SLACK)


class Notice(models.Model):
    """One trouble, from when it was noticed until it was over, for one audience.

    It alone says whether a message is due: not yet sent, sent more than a week ago, or over and not yet told so.
    connection: None where the trouble is the installation's; then `subject` says whose, such as a machine's name.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, null=True, related_name="notices")
    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, null=True, related_name="notices")
    subject = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="Such as a machine’s name."
    )
    kind = models.CharField(max_length=16, choices=NoticeKind.choices)
    audience = models.CharField(max_length=16, choices=Audience.choices)
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When the trouble was found to be over.")
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the last message was accepted.")
    times_sent = models.PositiveIntegerField(default=0)
    has_news = models.BooleanField(
        default=False, db_default=False, help_text="Something was added since the last message."
    )
    resolved_sent_at = models.DateTimeField(
        null=True, blank=True, help_text="When the message that it is over was accepted."
    )
    failures = models.PositiveSmallIntegerField(
        default=0, help_text="Consecutive messages that were not accepted."
    )
    answer = models.CharField(
        "last answer", max_length=120, blank=True, default="", db_default="", help_text="Of a webhook."
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
            ),
            models.UniqueConstraint(
                fields=["subject", "kind", "audience"],
                condition=Q(ended_at=None, connection=None),
                name="one_open_notice_of_the_installation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, to {self.audience}"

    @property
    def is_mail(self) -> bool:
        return self.audience in MAILED


class NoticeChannels(models.Model):
    """Where the notices of one domain are posted to, beside the e-mails; each empty where it is not set.

    The addresses are secrets too: whoever has that of a Slack channel can write there.
    """

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="notice_channels"
    )
    webhook_url_sealed = models.TextField(blank=True)
    webhook_secret_sealed = models.TextField(blank=True)
    slack_url_sealed = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"notice channels of {self.domain}"

    def bound_to(self, column: str) -> str:
        """Return what one encrypted column is bound to, so that it decrypts in no other place."""
        return f"notices:{self.domain_id}:{column}"
