"""Deliveries: originals, last placements, runs and their items."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.models import Connection
from portal.models import Domain
from portal.trace import get_trace

from .release import Release
from .sender import Sender
from .template import TemplateVersion


class Snapshot(models.Model):
    """What one mailbox held before our first write. Stored before that write, and never replaced.

    Keyed by organisation and mailbox, so that it outlives a disconnect and serves a reconnect.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="snapshots")
    account_key = models.CharField(max_length=128, blank=True)
    mailbox_remote_id = models.CharField(max_length=32)
    mailbox_email = models.CharField(max_length=255)
    original_html = models.TextField(blank=True, help_text="Exactly as Outreach gave it; '' for none.")
    taken_at = models.DateTimeField(default=timezone.now)
    restored_at = models.DateTimeField(null=True, blank=True, help_text="When it was last restored.")

    class Meta:
        ordering = ["mailbox_email"]
        verbose_name = "original"
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "account_key", "mailbox_remote_id"], name="one_original_per_mailbox"
            )
        ]

    def __str__(self) -> str:
        return f"original of {self.mailbox_email}"


class Placement(models.Model):
    """What we last wrote into one mailbox, and what Outreach's reply said it then held.

    It exists while the mailbox holds a signature of ours: restoring the original deletes it. Keyed like the
    original, so that a reconnect still tells our own signature from somebody's edit.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    account_key = models.CharField(max_length=128, blank=True)
    mailbox_remote_id = models.CharField(max_length=32)
    rendered_sha256 = models.CharField(max_length=64, help_text="Digest of what we sent.")
    returned_sha256 = models.CharField(
        max_length=64, help_text="Digest of what the reply said the mailbox holds."
    )
    template_version = models.ForeignKey(
        TemplateVersion, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL, related_name="+")
    placed_at = models.DateTimeField()
    banner_since = models.DateTimeField(
        null=True, help_text="Since when the delivered signature has a banner slot; empty where it has none."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["domain", "account_key", "mailbox_remote_id"], name="one_placement_per_mailbox"
            )
        ]

    def __str__(self) -> str:
        return f"what we placed in mailbox {self.mailbox_remote_id}"


class DeliveryRunState(models.TextChoices):
    """How far a run is. A planned one waits to be started by a person, a halted one for a decision."""

    PLANNING = "planning", "Planning"
    PLANNED = "planned", "Planned"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    HALTED = "halted", "Action needed"
    COMPLETE = "complete", "Complete"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


AUTOMATIC = "schedule"
"""Who started an automatic delivery, as its run and the ledger name it."""

UNFINISHED_DELIVERY = (DeliveryRunState.QUEUED, DeliveryRunState.RUNNING, DeliveryRunState.WAITING)


class DeliveryRun(models.Model):
    """One delivery to a domain's mailboxes, planned first, then carried out, in one go or in stages.

    scope: whom it was planned for; {} for everybody, else "groups", "senders" and "mailboxes"
    (ids), "first" (mailboxes) and "without" (mailboxes that somebody left out of the plan).
    A planned restore has "run" and "delivery" (ids) as well, and "to": an instant, or "before" that run.
    stages: sizes of its stages, the last one None for everybody left; [] for one go.
    """

    class Kind(models.TextChoices):
        DELIVER = "deliver", "Deliver"
        RESTORE = "restore", "Restore"

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="delivery_runs")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DELIVER)
    state = models.CharField(
        max_length=16, choices=DeliveryRunState.choices, default=DeliveryRunState.PLANNED
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    started_by_label = models.CharField(
        max_length=255, help_text="A person's address, 'schedule' or 'command'."
    )
    release = models.ForeignKey(Release, null=True, on_delete=models.PROTECT, related_name="delivery_runs")
    overwrites_edits = models.BooleanField(
        default=False, help_text="Also where a person edited the signature in Outreach."
    )
    overwrites_left_alone = models.BooleanField(
        default=False, help_text="Also where the mailbox was restored, or an edit kept."
    )
    trace = models.CharField(
        max_length=32,
        blank=True,
        default=get_trace,
        db_default="",
        help_text="Id of the request or schedule that started it last.",
    )
    scope = models.JSONField(default=dict, blank=True)
    stages = models.JSONField(default=list, blank=True)
    stage = models.PositiveSmallIntegerField(default=1, help_text="The present stage, from 1.")
    stage_pause_minutes = models.PositiveIntegerField(
        null=True, blank=True, default=0, help_text="Between stages; empty: each waits for a person."
    )
    refusal_limit = models.PositiveIntegerField(default=0, help_text="Per stage; 0 for none.")
    drift_limit = models.PositiveIntegerField(default=0, help_text="Per stage; 0 for none.")
    counted_from = models.DateTimeField(
        null=True, help_text="Refusals and edits before this were accepted by the person who resumed the run."
    )
    held_at = models.DateTimeField(null=True, blank=True, help_text="Since when it waits for a person.")
    held_by_label = models.CharField(
        max_length=255, blank=True, help_text="Who paused it; empty for a stage that waits for a person."
    )
    stop_asked_by_label = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    covers_until = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When a plan for the whole domain was made; empty for a part.",
    )
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="A running run whose lease has expired was killed."
    )
    resume_at = models.DateTimeField(null=True, blank=True)
    cause = models.TextField(blank=True)
    cause_code = models.CharField(
        max_length=32, blank=True, help_text="Why it waits or stopped, as a code for pages."
    )
    stalls = models.PositiveSmallIntegerField(default=0, help_text="Consecutive outages without progress.")
    waiting_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it waits; empty while it makes progress."
    )
    planned = models.PositiveIntegerField(default=0, help_text="Mailboxes that would change.")
    settled = models.PositiveIntegerField(default=0, help_text="Planned mailboxes with a result.")
    unchanged = models.PositiveIntegerField(
        default=0, help_text="Mailboxes that already hold their signature."
    )
    left_out = models.PositiveIntegerField(
        default=0, help_text="Mailboxes of people who are locked in Outreach."
    )
    delivered = models.PositiveIntegerField(default=0, help_text="For a restore: originals restored.")
    refused = models.PositiveIntegerField(default=0, help_text="Blocked mailboxes, each with a reason.")
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(
        default=0, help_text="Planned, and not attempted because the run ended."
    )
    is_totalled = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="The kept totals of metrics contain it."
    )
    was_retried = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="It had ended and was retried: metrics count its mailboxes also while it is in progress.",
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["domain", "state"]),
            models.Index(fields=["state", "finished_at"], name="deliveries_by_end"),
            models.Index(fields=["domain", "kind", "state", "finished_at"], name="deliveries_by_outcome"),
            models.Index(fields=["domain"], condition=Q(is_totalled=False), name="deliveries_to_total"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} for {self.domain.name}"

    @property
    def follows_drift_policy(self) -> bool:
        """Whether groups' drift policies started it: no other delivery overwrites edits without a person."""
        return self.overwrites_edits and self.started_by_label == AUTOMATIC

    @property
    def job_label(self) -> str:
        """What the ledger calls this run."""
        return f"{'restore' if self.kind == self.Kind.RESTORE else 'delivery'} {self.pk}"

    @property
    def is_started(self) -> bool:
        """Whether it was started and has not ended: queued, running, waiting or halted."""
        return self.state in (*UNFINISHED_DELIVERY, DeliveryRunState.HALTED)

    @property
    def is_finished(self) -> bool:
        return self.state in (DeliveryRunState.COMPLETE, DeliveryRunState.FAILED, DeliveryRunState.SKIPPED)


class DeliveryState(models.TextChoices):
    PLANNED = "planned", "Planned"
    CLAIMED = "claimed", "In progress"
    DELIVERED = "delivered", "Delivered"
    REFUSED = "refused", "Blocked"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class Delivery(models.Model):
    """One attempt to put one signature into one mailbox, or why there was none."""

    run = models.ForeignKey(DeliveryRun, on_delete=models.CASCADE, related_name="deliveries")
    mailbox_remote_id = models.CharField(max_length=32)
    mailbox_email = models.CharField(max_length=255)
    person_remote_id = models.CharField(
        max_length=32, blank=True, help_text="Whose mailbox it was when planned."
    )
    sender = models.ForeignKey(Sender, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    template_version = models.ForeignKey(
        TemplateVersion, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.PLANNED)
    reason_code = models.CharField(max_length=32, blank=True)
    reason = models.TextField(blank=True, help_text="A sentence for a person.")
    found_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Digest of what it held just before."
    )
    rendered_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Digest of what was, or was to be, sent."
    )
    returned_sha256 = models.CharField(max_length=64, blank=True)
    target_sha256 = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of a restore: digest of the stored signature to write; empty for the original.",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    stage = models.PositiveSmallIntegerField(default=1)
    read_back_at = models.DateTimeField(null=True, blank=True)
    read_back_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Digest of what it held when its stage was read back."
    )
    active_key = models.CharField(  # noqa: DJ001 - of a unique column any number may be NULL
        max_length=255,
        null=True,
        blank=True,
        editable=False,
        help_text="The mailbox, while a started run still has to write it: no other run may take it.",
    )

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["run", "mailbox_remote_id"], name="one_delivery_per_run_and_mailbox"
            ),
            models.UniqueConstraint(fields=["active_key"], name="one_active_delivery_per_mailbox"),
        ]
        indexes = [
            models.Index(fields=["run", "state", "id"]),
            models.Index(fields=["mailbox_remote_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"delivery to {self.mailbox_email}"


class Following(models.Model):
    """How far senders and statuses followed a connection's mirror. Whoever stores statuses locks the row."""

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    senders_until = models.DateTimeField(null=True, help_text="Senders match the mirror as it was then.")
    release = models.ForeignKey(
        Release,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The live release that every status was compared with.",
    )
    day = models.DateField(null=True, help_text="Whose content of the release was compared with.")
    automatic_from = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        default="",
        editable=False,
        help_text="Digest of what automatic delivery found nobody due from.",
    )

    def __str__(self) -> str:
        return f"followed {self.connection} until {self.senders_until}"
