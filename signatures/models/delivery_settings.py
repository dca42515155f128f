"""Delivery settings: a domain's settings for automatic delivery, stages, quiet hours and limits."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from portal.models import Domain

from .per_domain import PerDomainManager


def get_default_stages() -> list[int | None]:
    """Return the sizes of a rollout's stages; None for everybody left."""
    return [5, 50, None]


class DeliverySettingsManager(PerDomainManager["DeliverySettings"]):
    """One row a domain, with defaults where there is none."""


class DeliverySettings(models.Model):
    """How a domain's signatures are delivered; a domain without a row has the defaults."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="delivery_settings"
    )
    requires_approval = models.BooleanField(
        "a second person approves each release",
        default=False,
        help_text="Whoever asks for a release never approves it, and values typed for senders wait for a release too.",
    )
    live_fields = models.JSONField(
        "fields that go live automatically",
        default=list,
        blank=True,
        help_text="Values of these fields go live when they are saved, without a release.",
    )
    automatic_cap_percent = models.PositiveSmallIntegerField(
        "ask first above (%)",
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="An automatic delivery to more of the mailboxes than this waits for a person.",
    )
    stages = models.JSONField(
        default=get_default_stages, help_text="Mailboxes of each stage; everybody left is in the last one."
    )
    stage_pause_minutes = models.PositiveIntegerField(
        "pause between stages (minutes)",
        null=True,
        blank=True,
        default=10,
        help_text="Empty: each stage waits for a person.",
    )
    refusal_limit = models.PositiveIntegerField(
        default=3, help_text="A rollout stops automatically when a stage has this many refusals; 0 for never."
    )
    drift_limit = models.PositiveIntegerField(
        default=3,
        help_text="A rollout stops automatically when this many of a stage's mailboxes read back differently; "
        "0 for never.",
    )
    quiet_from = models.TimeField("quiet hours from", null=True, blank=True)
    quiet_until = models.TimeField("quiet hours until", null=True, blank=True)
    writes_per_hour = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Empty: as Outreach allows."
    )

    objects = DeliverySettingsManager()

    class Meta:
        verbose_name_plural = "delivery settings"

    def __str__(self) -> str:
        return f"delivery settings of {self.domain.name}"
