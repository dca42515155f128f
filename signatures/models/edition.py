"""How campaigns were before: what a look back at a choice needs."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from .campaign import Campaign


class CampaignEdition(models.Model):
    """A campaign as it was from one instant until its next edition; stored in the transaction of the change.

    rule: what choosing needs to know of it, see `signatures.campaigns.revisions`.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="editions")
    since = models.DateTimeField(default=timezone.now)
    rule = models.JSONField()

    class Meta:
        ordering = ["campaign", "since", "id"]
        indexes = [models.Index(fields=["campaign", "since"])]

    def __str__(self) -> str:
        return f"{self.campaign} from {self.since} on"
