"""Recipients: what is kept of them and for how long, without their address or a field of their record."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from portal.models import Domain

from .per_domain import PerDomainManager
from .sender import make_banner_key

MAX_DAYS = 3_650


class RecipientPrivacy(models.Model):
    """What a domain keeps of recipients and for how long, and the key of their pseudonyms."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="recipient_privacy"
    )
    pepper_sealed = models.TextField(
        blank=True, editable=False, help_text="The sealed key that recipients' digests are made with."
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
    """Which audiences one recipient is in, as last found out. Holds no address and no field of a prospect.

    verdicts: campaign id, as text -> [digest of the audience that was asked, whether it holds].
    conditions: digest of one condition -> whether it holds, of those that the record was asked about.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    recipient_key = models.CharField(max_length=64, help_text="Keyed digest of the address.")
    verdicts = models.JSONField(default=dict)
    conditions = models.JSONField(default=dict)
    asked_at = models.DateTimeField(
        null=True, help_text="When Outreach was last asked; a claim, written before the request leaves."
    )
    answered_at = models.DateTimeField(null=True, help_text="When that answer was read; none for a failure.")
    failed_at = models.DateTimeField(null=True, help_text="When it was clear that no answer comes.")
    expires_at = models.DateTimeField(help_text="After this, nothing of it counts.")
    is_tallied = models.BooleanField(default=True, help_text="False until the audiences' tallies count it.")

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
    """How many look-ups readers of one network, or of all networks, caused in a domain within an hour."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    network = models.CharField(max_length=43, help_text="Cut to /24 or /48; “all” is the whole domain's row.")
    used = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField(db_index=True, help_text="After this, the count begins anew.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["domain", "network"], name="one_look_up_share_per_network")
        ]

    def __str__(self) -> str:
        return f"{self.used} look-ups of {self.network}"


class VariableTest(models.Model):
    """Whether Outreach replaced a variable in a test mail: what arrived when its picture was fetched."""

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
    masked = models.CharField(
        max_length=64, blank=True, help_text="What arrived, too little to be read back."
    )
    arrived_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    started_by_label = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"{self.variable}: {self.get_outcome_display()}"
