"""Decisions: which banner a recipient got, and API keys."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from portal.models import Domain

from .campaign import Banner, Campaign
from .sender import Sender


class DecisionKey(models.Model):
    """An API key of a mail gateway or add-in. Shown once, stored as a digest."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="decision_keys")
    name = models.CharField(max_length=80, help_text="Where it is used.")
    prefix = models.CharField(max_length=12, help_text="Its first characters, to identify keys.")
    key_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_label = models.CharField(max_length=255, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    requests_left = models.FloatField(
        default=0, editable=False, help_text="Remaining requests of the rate limit, when last counted."
    )
    counted_at = models.FloatField(
        default=0, editable=False, help_text="Time of that, in seconds since 1970."
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Decision(models.Model):
    """Which banner one recipient got from one sender. Contains no prospect field and no address."""

    class Way(models.TextChoices):
        API = "api", "Decision API"
        VARIABLE = "variable", "Merge variable"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    sender = models.ForeignKey(Sender, null=True, on_delete=models.SET_NULL, related_name="+")
    campaign = models.ForeignKey(Campaign, null=True, on_delete=models.SET_NULL, related_name="+")
    banner = models.ForeignKey(Banner, null=True, on_delete=models.SET_NULL, related_name="+")
    recipient_key = models.CharField(max_length=64, help_text="Keyed digest of the address.")
    way = models.CharField(max_length=16, choices=Way.choices)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["domain", "recipient_key", "at"]),
            models.Index(fields=["domain", "at"]),
        ]

    def __str__(self) -> str:
        return f"decision {self.pk}"
