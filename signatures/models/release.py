"""Releases: what a domain published, its drafts, and every signature that was written."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal.models import Domain

from .sender import Sender


class ReleaseState(models.TextChoices):
    SCHEDULED = "scheduled", "Scheduled"
    LIVE = "live", "Live"
    EARLIER = "earlier", "Earlier"
    CANCELLED = "cancelled", "Cancelled"


class Release(models.Model):
    """What was published; numbered, and never changed afterwards.

    content: see `signatures.releases.content`; digest: SHA-256 of its canonical JSON. Signatures are rendered
    for delivery from the live release and the directory's values, and from nothing else.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()
    content = models.JSONField(editable=False)
    digest = models.CharField(max_length=64, editable=False)
    state = models.CharField(max_length=16, choices=ReleaseState.choices)
    note = models.CharField(max_length=500, blank=True)
    made_from = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The earlier release that it publishes again.",
    )
    rollout = models.JSONField(default=dict, blank=True, help_text="How a scheduled release is rolled out.")
    created_at = models.DateTimeField(default=timezone.now)
    publish_at = models.DateTimeField(null=True, blank=True, help_text="When a scheduled one goes live.")
    published_at = models.DateTimeField(null=True, blank=True)
    rollout_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the rollout of a scheduled release was started or left to a person.",
    )
    rollout_cause = models.TextField(blank=True, editable=False, help_text="Why it was not started.")
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    published_by_label = models.CharField(max_length=255)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "number"], name="one_release_per_number"),
            models.UniqueConstraint(
                fields=["domain"], condition=Q(state="live"), name="one_live_release_per_domain"
            ),
        ]

    def __str__(self) -> str:
        return f"Release {self.number}"


class DraftEdit(models.Model):
    """Who edited one thing of a domain last, and when. key: as in `signatures.releases.content`."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    edited_by_label = models.CharField(max_length=255)
    edited_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-edited_at"]
        constraints = [models.UniqueConstraint(fields=["domain", "key"], name="one_last_edit_per_thing")]

    def __str__(self) -> str:
        return f"{self.key} by {self.edited_by_label}"


class ValueDraft(models.Model):
    """A draft of a sender's value, entered by somebody who may not publish. value: '' removes it."""

    sender = models.ForeignKey(Sender, on_delete=models.CASCADE, related_name="value_drafts")
    field = models.CharField(max_length=64, help_text="Name of the merge field.")
    value = models.TextField(blank=True)
    origin = models.JSONField(default=dict, blank=True, editable=False, help_text="How it was entered.")
    edited_by_label = models.CharField(max_length=255)
    edited_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["sender", "field"]
        constraints = [models.UniqueConstraint(fields=["sender", "field"], name="one_draft_per_value")]

    def __str__(self) -> str:
        return f"{self.field} of {self.sender}"


class SignatureHtml(models.Model):
    """The text of a signature that was written or found, once per digest, for as long as something refers to it."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)
    html = models.TextField(blank=True)
    kept_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        verbose_name = "signature text"
        constraints = [models.UniqueConstraint(fields=["domain", "sha256"], name="one_text_per_digest")]

    def __str__(self) -> str:
        return f"signature {self.sha256[:12]}"
