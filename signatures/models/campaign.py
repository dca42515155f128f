"""Banner campaigns: what may be shown, to whom, and what was shown."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from portal.models import Domain

from .sender import Group, Sender

MAX_DAYS = 3_650


class BannerImage(models.Model):
    """One uploaded picture, re-encoded: the same bytes for everybody, never changed, found by its digest.

    Kept in the database, so that every web machine serves what any of them took in.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64, help_text="Digest of the picture as uploaded.")
    media_type = models.CharField(max_length=16)
    width = models.PositiveSmallIntegerField(help_text="Of the picture at 1×, in pixels.")
    height = models.PositiveSmallIntegerField()
    bytes_1x = models.BinaryField()
    bytes_2x = models.BinaryField(help_text="The same as at 1× where there is nothing sharper.")
    note = models.CharField(
        max_length=400, blank=True, help_text="What became of the upload that a person may want to know."
    )
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


class BannerPlace(models.Model):
    """The place for a banner in a domain's signatures: whether there is one, its size, what it shows by itself."""

    domain = models.OneToOneField(
        Domain, on_delete=models.CASCADE, primary_key=True, related_name="banner_place"
    )
    is_on = models.BooleanField(
        "signatures carry a banner", default=False, help_text="Templates with a banner show one."
    )
    width = models.PositiveSmallIntegerField(
        default=480,
        validators=[MinValueValidator(120), MaxValueValidator(600)],
        help_text="In pixels; every banner is cut to this size.",
    )
    height = models.PositiveSmallIntegerField(
        default=120, validators=[MinValueValidator(40), MaxValueValidator(300)]
    )
    alt = models.CharField(
        "text in place of the picture",
        max_length=255,
        blank=True,
        help_text="What readers without pictures see; it is part of the signature and stays the same.",
    )
    default_image = models.ForeignKey(
        BannerImage, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    default_alt = models.CharField(max_length=255, blank=True)
    default_link = models.URLField(max_length=2000, blank=True, help_text="https only.")
    recipient_variable = models.CharField(
        max_length=64, blank=True, help_text="What Outreach replaces with the reader’s address; '' for none."
    )
    event_days = models.PositiveSmallIntegerField(
        default=90,
        validators=[MinValueValidator(7), MaxValueValidator(MAX_DAYS)],
        help_text="How long single views and clicks are kept.",
    )
    decision_days = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
        help_text="How long a choice for a recipient is kept.",
    )
    pepper_sealed = models.TextField(
        blank=True, editable=False, help_text="The sealed key that recipients' digests are made with."
    )
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Counts up with every change that a choice depends on."
    )
    sifted_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text="Views and clicks until then are judged; one that is older came late.",
    )
    events_removed_until = models.DateTimeField(
        null=True, editable=False, help_text="Single views and clicks until then are no longer kept."
    )

    def __str__(self) -> str:
        return f"banner place of {self.domain.name}"


class Campaign(models.Model):
    """Banners with a time, senders and an audience.

    audience: conditions that must all hold, see `signatures.audiences.conditions`; [] for everybody.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    priority = models.SmallIntegerField(
        default=0,
        validators=[MinValueValidator(-1_000), MaxValueValidator(1_000)],
        help_text="Of several that run, the higher one shows.",
    )
    starts_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is stopped.")
    groups = models.ManyToManyField(
        Group, blank=True, related_name="campaigns", help_text="Whose signatures show it; none means all."
    )
    audience = models.JSONField(default=list, blank=True)
    cap_times = models.PositiveSmallIntegerField(
        "at most",
        null=True,
        blank=True,
        validators=[MaxValueValidator(1_000)],
        help_text="How often one known recipient gets it.",
    )
    cap_days = models.PositiveSmallIntegerField(
        "within days", null=True, blank=True, validators=[MaxValueValidator(MAX_DAYS)]
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
                violation_error_message="A cap needs both: how often, and within how many days.",
            ),
        ]
        indexes = [models.Index(fields=["domain", "archived_at", "ends_at"])]

    def __str__(self) -> str:
        return self.name


class Banner(models.Model):
    """One picture of a campaign with its link; weights decide how often it is taken beside the others."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="banners")
    name = models.CharField(max_length=80)
    image = models.ForeignKey(BannerImage, on_delete=models.PROTECT, related_name="+")
    alt = models.CharField(max_length=255, help_text="What the picture says, for those who do not see it.")
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


class AudienceTally(models.Model):
    """How many looked-up recipients a campaign's audience matched; tells the linter of one that never does."""

    campaign = models.OneToOneField(
        Campaign, on_delete=models.CASCADE, primary_key=True, related_name="tally"
    )
    looked_up = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    last_matched_at = models.DateTimeField(null=True)
    counts_since = models.DateTimeField(default=timezone.now, help_text="When the audience last changed.")

    def __str__(self) -> str:
        return f"{self.matched} of {self.looked_up} matched {self.campaign}"


class RecipientList(models.Model):
    """Domains and addresses from a CSV file, for audiences. Addresses are kept as keyed digests only."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="recipient_lists")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by_label = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["domain", "name"], name="one_recipient_list_per_name")]

    def __str__(self) -> str:
        return self.name


class RecipientListEntry(models.Model):
    """One mail domain in clear, or one address as its keyed digest (`signatures.audiences.pseudonyms.key_of`)."""

    recipient_list = models.ForeignKey(RecipientList, on_delete=models.CASCADE, related_name="entries")
    value = models.CharField(max_length=253)

    class Meta:
        verbose_name_plural = "recipient list entries"
        constraints = [
            models.UniqueConstraint(fields=["recipient_list", "value"], name="one_entry_per_list_and_value")
        ]

    def __str__(self) -> str:
        return self.value


class AttributeLabel(models.Model):
    """What a person calls a custom field, or a stage, persona or account of which Outreach tells us the id alone."""

    class Kind(models.TextChoices):
        CUSTOM = "custom", "Custom field"
        STAGE = "stage", "Stage"
        PERSONA = "persona", "Persona"
        ACCOUNT = "account", "Account"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="attribute_labels")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(
        max_length=32, help_text="The number of a custom field (1 to 150), or the id in Outreach."
    )
    label = models.CharField(max_length=120)

    class Meta:
        ordering = ["kind", "label"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "kind", "key"], name="one_label_per_kind_and_key")
        ]

    def __str__(self) -> str:
        return self.label


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


class EventKind(models.TextChoices):
    IMAGE = "image", "Picture fetched"
    CLICK = "click", "Click"


class BannerEvent(models.Model):
    """One fetch of a picture or one click, as it came. Kept `event_days`, then only its daily count is.

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
        max_length=43, blank=True, help_text="The reader’s address, cut to /24 or /48."
    )
    agent = models.CharField(max_length=200, blank=True, help_text="The reader’s program, shortened.")
    reader_key = models.CharField(
        max_length=32, blank=True, help_text="Tells readers of one day apart, and nobody’s name."
    )
    rule = models.CharField(
        max_length=32, blank=True, help_text="The rule that took it for a scanner’s; '' where none did."
    )
    is_judged = models.BooleanField(default=False)
    counted_on = models.DateField(
        null=True, help_text="The day whose count it is in; it stays, whatever the domain's zone becomes."
    )

    class Meta:
        indexes = [
            models.Index(fields=["is_judged", "at"]),
            models.Index(fields=["domain", "at"]),
            models.Index(fields=["domain", "sender_id", "at"]),
            models.Index(fields=["domain", "reader_key", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class Counted(models.Model):
    """The four numbers of a day: what readers did, and what is set apart. Together they are all that came."""

    impressions = models.PositiveIntegerField(default=0)
    clicks = models.PositiveIntegerField(default=0)
    scanner_impressions = models.PositiveIntegerField(default=0)
    scanner_clicks = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class DailyCount(Counted):
    """What one banner did in one sender's signature on one day of the domain's time zone.

    Names stand beside the ids, so that results survive whatever is renamed, moved or removed later.
    Rules that take traffic for scanners' move numbers from one pair of columns to the other, never away.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    campaign_id = models.BigIntegerField(default=0, help_text="0 for the place's own default banner.")
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
    """How far one spool file of banner events was read; changed in the transaction that stores its events."""

    name = models.CharField(max_length=64, unique=True)
    offset = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} up to {self.offset}"
