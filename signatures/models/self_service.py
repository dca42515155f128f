"""Self-service: senders who sign in to see their own signature, their invitations, and what they changed."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.models import Domain, InvitationLink

from .per_domain import PerDomainManager
from .sender import Sender


class SelfService(models.Model):
    """What a domain lets its senders do. Off, nobody sees a page of theirs."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="self_service"
    )
    is_on = models.BooleanField(
        "self-service", default=False, help_text="Invited senders see and edit their own signature."
    )
    allows_sso = models.BooleanField(
        "senders may sign in by SSO without an invitation",
        default=False,
        help_text="Whoever signs in through the company, is no member and has the address of an active sender.",
    )
    valid_days = models.PositiveSmallIntegerField(
        "an invitation is valid for (days)",
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(30)],
    )
    remind_after_days = models.PositiveSmallIntegerField(
        "reminder after (days)",
        default=3,
        validators=[MaxValueValidator(29)],
        help_text="Sent once, with a new link. 0 sends none.",
    )
    contact_email = models.EmailField(
        "contact", blank=True, help_text="Whom senders write to when something is wrong."
    )

    objects = PerDomainManager["SelfService"]()

    class Meta:
        verbose_name_plural = "self-service"

    def __str__(self) -> str:
        return f"self-service of {self.domain.name}"


class SenderAccount(models.Model):
    """A person who signs in as one sender. It gives no role in the domain.

    It is tied to the sender, not to an address, and holds while the sender is active.
    """

    sender = models.OneToOneField(Sender, on_delete=models.CASCADE, related_name="account")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sender_accounts"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField("last seen", null=True, editable=False)

    class Meta:
        ordering = ["sender__name"]

    def __str__(self) -> str:
        return f"{self.user} as {self.sender}"


class SenderInvitation(InvitationLink):
    """An invitation of one sender, mailed by the worker to the address that Outreach has of them."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="sender_invitations")
    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="invitations")
    mailed_at = models.DateTimeField(null=True, help_text="When a mail server took the last one.")
    opened_at = models.DateTimeField(null=True, help_text="When its link was followed first.")
    reminded_at = models.DateTimeField(null=True, help_text="When a reminder was asked for.")
    mail_not_before = models.DateTimeField(
        null=True, default=timezone.now, help_text="When its mail is to be sent; empty: none is owed."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sender"],
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="one_open_invitation_per_sender",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email}, invited as a sender of {self.domain.name}"


class ChangeState(models.TextChoices):
    SAVED = "saved", "Saved"
    WAITING = "waiting", "Waiting for approval"
    APPROVED = "approved", "Approved"
    DECLINED = "declined", "Declined"
    REPLACED = "replaced", "Replaced by a later one"


class SenderChange(models.Model):
    """One value that a sender changed themselves. value: '' removes their own value."""

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="changes")
    field = models.CharField(max_length=64, help_text="Name of the merge field.")
    value = models.TextField(blank=True)
    before = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=ChangeState.choices)
    made_by_label = models.CharField(max_length=255)
    made_at = models.DateTimeField(default=timezone.now)
    decided_by_label = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)
    comment = models.CharField(max_length=500, blank=True)
    mailed_state = models.CharField(
        max_length=16, blank=True, editable=False, help_text="The state that somebody was told by e-mail."
    )
    mail_not_before = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "field"], condition=Q(state="waiting"), name="one_waiting_change_per_value"
            )
        ]
        indexes = [
            models.Index(fields=["made_at"], name="changes_by_time"),
            models.Index(fields=["decided_at"], name="changes_by_decision"),
        ]

    def __str__(self) -> str:
        return f"{self.field} of {self.sender}"
