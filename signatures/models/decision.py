"""Decisions: which banner a recipient got, and the keys that ask for one."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from portal.models import Domain

from .campaign import Banner, Campaign
from .sender import Sender


class DecisionKey(models.Model):
    """A key with which a mail gateway or add-in asks for decisions. Shown once, kept as a digest."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="decision_keys")
    name = models.CharField(max_length=80, help_text="Where it is used.")
    prefix = models.CharField(max_length=12, help_text="Its first characters, to tell keys apart.")
    key_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_label = models.CharField(max_length=255, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    requests_left = models.FloatField(
        default=0, editable=False, help_text="Of the burst, when it was last counted."
    )
    counted_at = models.FloatField(default=0, editable=False, help_text="When that was, in epoch seconds.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Decision(models.Model):
    """Which banner one recipient got from one sender. Holds no field of a prospect and no address."""

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
