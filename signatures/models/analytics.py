"""Analytics: single impressions and clicks, their daily counts, and how far each spool file was imported."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from portal.models import Domain

from .per_domain import PerDomainManager


class EventKind(models.TextChoices):
    IMAGE = "image", "Impression"
    CLICK = "click", "Click"


class BannerEvent(models.Model):
    """One impression or click. Kept for `event_days`; after that only its daily count remains.

    Subjects are plain ids: an event outlives the rows it names.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=EventKind.choices)
    method = models.CharField(max_length=8, default="GET")
    sender_id = models.BigIntegerField(null=True)
    group_id = models.BigIntegerField(null=True)
    campaign_id = models.BigIntegerField(null=True)
    banner_id = models.BigIntegerField(null=True)
    decision_id = models.BigIntegerField(null=True)
    network = models.CharField(
        max_length=43, blank=True, help_text="The recipient’s network address, cut to /24 or /48."
    )
    agent = models.CharField(max_length=200, blank=True, help_text="The recipient’s mail program, shortened.")
    visitor_key = models.CharField(
        max_length=32,
        blank=True,
        help_text="A digest that tells the recipients of one day apart, without identifying them.",
    )
    rule = models.CharField(
        max_length=32, blank=True, help_text="The filter that counted it as bot traffic; '' for human."
    )
    is_judged = models.BooleanField(default=False)
    counted_on = models.DateField(
        null=True, help_text="The day it is counted on; unchanged when the domain's time zone changes."
    )

    class Meta:
        indexes = [
            models.Index(fields=["is_judged", "at"]),
            models.Index(fields=["domain", "at"]),
            models.Index(fields=["domain", "sender_id", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class CountingStateManager(PerDomainManager["CountingState"]):
    def lock(self, domain: Domain) -> None:
        """Lock the row, so that no other process counts this domain's events until the transaction ends."""
        list(self.select_for_update().filter(pk=domain.pk).values("pk"))


class CountingState(models.Model):
    """How far a domain's events are counted and removed; locked by whoever counts them."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="counting_state"
    )
    counted_until = models.DateTimeField(
        null=True, help_text="Events until then are counted; older ones arrived late."
    )
    events_removed_until = models.DateTimeField(
        null=True, help_text="Single events until then are no longer kept."
    )

    objects = CountingStateManager()

    def __str__(self) -> str:
        return f"counting state of {self.domain.name}"


class Counted(models.Model):
    """The four numbers of a day: human impressions and clicks, and bot traffic. Together they are all that came."""

    impressions = models.PositiveIntegerField(default=0)
    clicks = models.PositiveIntegerField(default=0)
    bot_impressions = models.PositiveIntegerField(default=0)
    bot_clicks = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class DailyCount(Counted):
    """What one banner did in one sender's signature on one day of the domain's time zone.

    Names are stored beside the ids, so that results survive later renaming, moving and removing. Filters of
    bot traffic move numbers from one pair of columns to the other, and remove none.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    campaign_id = models.BigIntegerField(default=0, help_text="0 for the default banner.")
    banner_id = models.BigIntegerField(default=0)
    group_id = models.BigIntegerField(default=0)
    sender_id = models.BigIntegerField(default=0)
    campaign_name = models.CharField(max_length=120, blank=True)
    banner_name = models.CharField(max_length=80, blank=True)
    group_name = models.CharField(max_length=255, blank=True)
    sender_name = models.CharField(max_length=511, blank=True)

    class Meta:
        ordering = ["-day", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "day", "campaign_id", "banner_id", "group_id", "sender_id"],
                name="one_count_per_day_banner_group_and_sender",
            )
        ]
        indexes = [models.Index(fields=["domain", "campaign_id", "sender_id", "day"])]

    def __str__(self) -> str:
        return f"{self.campaign_name or 'default banner'} on {self.day}"


class DailyTotal(Counted):
    """The daily counts of one banner and group, over all senders: what pages over long times read."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    campaign_id = models.BigIntegerField(default=0)
    banner_id = models.BigIntegerField(default=0)
    group_id = models.BigIntegerField(default=0)
    campaign_name = models.CharField(max_length=120, blank=True)
    banner_name = models.CharField(max_length=80, blank=True)
    group_name = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-day", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "day", "campaign_id", "banner_id", "group_id"],
                name="one_total_per_day_banner_and_group",
            )
        ]
        indexes = [models.Index(fields=["domain", "campaign_id", "day"])]

    def __str__(self) -> str:
        return f"{self.campaign_name or 'default banner'} on {self.day}"


class SpoolImport(models.Model):
    """How far one spool file of banner events was read; changed in the transaction that stores its events.

    changed_at: also when the file was found without new events, once a day.
    """

    name = models.CharField(max_length=64, unique=True)
    offset = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} up to {self.offset}"
