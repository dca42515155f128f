"""Recipients: privacy settings, audience matches and look-up counts, without addresses or prospect fields."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from portal.models import Domain

from .per_domain import PerDomainManager
from .sender import make_banner_key

MAX_DAYS = 3_650


class RecipientPrivacy(models.Model):
    """A domain's retention of recipient data, and the key of its pseudonyms."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="recipient_privacy"
    )
    pepper_sealed = models.TextField(
        blank=True, editable=False, help_text="The encrypted key of recipients' pseudonyms."
    )
    event_days = models.PositiveSmallIntegerField(
        default=90,
        validators=[MinValueValidator(7), MaxValueValidator(MAX_DAYS)],
        help_text="How long single impressions and clicks are kept.",
    )
    decision_days = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
        help_text="How long a decision for a recipient is kept.",
    )
    recipient_variable = models.CharField(
        max_length=64,
        blank=True,
        help_text="What Outreach replaces with the recipient’s address; '' for none.",
    )

    objects = PerDomainManager["RecipientPrivacy"]()

    class Meta:
        verbose_name_plural = "recipient privacy"

    def __str__(self) -> str:
        return f"recipient privacy of {self.domain.name}"


class KnownRecipient(models.Model):
    """A recipient's audience matches of the last look-up. Contains no address and no prospect field.

    verdicts: campaign id, as text -> [digest of the audience that was asked, whether it holds].
    conditions: digest of one condition -> whether it holds, of those that the record was asked about.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    recipient_key = models.CharField(max_length=64, help_text="Keyed digest of the address.")
    verdicts = models.JSONField(default=dict)
    conditions = models.JSONField(default=dict)
    asked_at = models.DateTimeField(
        null=True, help_text="When Outreach was last called; written before the request is sent."
    )
    answered_at = models.DateTimeField(
        null=True, help_text="When that answer was read; empty after a failure."
    )
    failed_at = models.DateTimeField(null=True, help_text="When the look-up failed.")
    expires_at = models.DateTimeField(help_text="When it expires.")
    is_tallied = models.BooleanField(
        default=True, help_text="Whether the audiences' match counts include it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["domain", "recipient_key"], name="one_known_recipient_per_key")
        ]
        indexes = [
            models.Index(fields=["expires_at"]),
            models.Index(
                fields=["domain"], condition=models.Q(is_tallied=False), name="known_not_yet_tallied"
            ),
        ]

    def __str__(self) -> str:
        return f"recipient {self.recipient_key[:8]}…"


class LookupShare(models.Model):
    """How many look-ups banner requests from one network, or from all, caused in a domain within an hour."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    network = models.CharField(
        max_length=43, help_text="Truncated to /24 or /48; “all” is the row of the whole domain."
    )
    used = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField(db_index=True, help_text="When the count restarts.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["domain", "network"], name="one_look_up_share_per_network")
        ]

    def __str__(self) -> str:
        return f"{self.used} look-ups of {self.network}"


class VariableTest(models.Model):
    """A test mail's result: what arrived in place of the variable when its image was requested."""

    class Outcome(models.TextChoices):
        NOTHING = "", "No request yet"
        UNEXPANDED = "unexpanded", "Not replaced"
        EXPANDED = "expanded", "Replaced"
        OTHER = "other", "Other value"

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="variable_test"
    )
    key = models.CharField(max_length=22, unique=True, default=make_banner_key, editable=False)
    variable = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, default=Outcome.NOTHING, blank=True)
    masked = models.CharField(max_length=64, blank=True, help_text="The value that arrived, masked.")
    arrived_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    started_by_label = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"{self.variable}: {self.get_outcome_display()}"
