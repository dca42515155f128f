"""Campaigns: the banner slot of a domain, its banners and images, and campaign revisions."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portal.models import Domain

from .per_domain import PerDomainManager
from .sender import Group

MAX_DAYS = 3_650


class BannerImage(models.Model):
    """One uploaded image, re-encoded: the same bytes for everybody, never changed, found by its digest.

    Stored in the database, so that every web server can serve it.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64, help_text="Digest of the image as uploaded.")
    media_type = models.CharField(max_length=16)
    width = models.PositiveSmallIntegerField(help_text="Of the image at 1×, in pixels.")
    height = models.PositiveSmallIntegerField()
    bytes_1x = models.BinaryField()
    bytes_2x = models.BinaryField(help_text="The same as at 1× if the upload is too small.")
    note = models.CharField(max_length=400, blank=True, help_text="Notes on the conversion of the upload.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "sha256", "width", "height"], name="one_image_per_digest_and_size"
            )
        ]

    def __str__(self) -> str:
        return f"{self.width} × {self.height} {self.media_type}"


class BannerPlaceManager(PerDomainManager["BannerPlace"]):
    def touch(self, domain: Domain) -> None:
        """Make every process reload the domain's campaigns. Call it in the transaction of the change."""
        self.for_domain(domain, create=True)
        self.filter(domain=domain).update(version=F("version") + 1)


class BannerPlace(models.Model):
    """A domain's banner slot: on or off, size and default banner."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="banner_place"
    )
    is_on = models.BooleanField(
        "banner slot on", default=False, help_text="Templates with a banner slot show a banner."
    )
    width = models.PositiveSmallIntegerField(
        default=480,
        validators=[MinValueValidator(120), MaxValueValidator(600)],
        help_text="In pixels; every banner is cropped to this size.",
    )
    height = models.PositiveSmallIntegerField(
        default=120, validators=[MinValueValidator(40), MaxValueValidator(300)]
    )
    alt = models.CharField(
        "alt text",
        max_length=255,
        blank=True,
        help_text="Shown where images are off; it is part of the signature and stays the same.",
    )
    default_image = models.ForeignKey(
        BannerImage, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    default_alt = models.CharField(max_length=255, blank=True)
    default_link = models.URLField(max_length=2000, blank=True, help_text="https only.")
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Incremented with every change that affects the selection."
    )

    objects = BannerPlaceManager()

    class Meta:
        verbose_name = "banner slot"

    def __str__(self) -> str:
        return f"banner slot of {self.domain.name}"


class Campaign(models.Model):
    """Banners with schedule, sender groups and audience.

    audience: conditions that must all hold, see `signatures.conditions.conditions`; [] for everybody.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    priority = models.SmallIntegerField(
        default=0,
        validators=[MinValueValidator(-1_000), MaxValueValidator(1_000)],
        help_text="Of several active campaigns, the highest priority shows.",
    )
    has_automatic_priority = models.BooleanField(
        default=False,
        editable=False,
        help_text="Whether the priority follows from having sender groups or an audience; else a person set it.",
    )
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: no end date.")
    groups = models.ManyToManyField(
        Group, blank=True, related_name="campaigns", help_text="None selected: all senders."
    )
    audience = models.JSONField(default=list, blank=True)
    cap_times = models.PositiveSmallIntegerField(
        "maximum impressions per recipient",
        null=True,
        blank=True,
        validators=[MaxValueValidator(1_000)],
        help_text="For known recipients.",
    )
    cap_days = models.PositiveSmallIntegerField(
        "period (days)", null=True, blank=True, validators=[MaxValueValidator(MAX_DAYS)]
    )
    utm_source = models.CharField(max_length=100, blank=True, default="outreach")
    utm_medium = models.CharField(max_length=100, blank=True, default="email-signature")
    utm_campaign = models.CharField(max_length=100, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_label = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-priority", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="campaign_ends_after_it_starts",
                violation_error_message="A campaign must end after it starts.",
            ),
            models.CheckConstraint(
                condition=Q(cap_times=None, cap_days=None) | Q(cap_times__gte=1, cap_days__gte=1),
                name="cap_has_times_and_days",
                violation_error_message="A frequency cap needs both: max. impressions and period.",
            ),
        ]
        indexes = [models.Index(fields=["domain", "archived_at", "ends_at"])]

    def __str__(self) -> str:
        return self.name


class Banner(models.Model):
    """One image of a campaign with its link; weights decide its traffic share."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="banners")
    name = models.CharField(max_length=80)
    image = models.ForeignKey(BannerImage, on_delete=models.PROTECT, related_name="+")
    alt = models.CharField(max_length=255, help_text="Shown where images are off.")
    link = models.URLField(max_length=2000, help_text="https only; UTM parameters are added.")
    weight = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    utm_content = models.CharField(max_length=100, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} of {self.campaign}"


class CampaignRevision(models.Model):
    """A campaign from one change until the next; stored in the transaction of the change.

    rule: as in `signatures.campaigns.revisions`.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="revisions")
    since = models.DateTimeField(default=timezone.now)
    rule = models.JSONField()

    class Meta:
        ordering = ["campaign", "since", "id"]
        indexes = [models.Index(fields=["campaign", "since"])]

    def __str__(self) -> str:
        return f"{self.campaign} from {self.since} on"
