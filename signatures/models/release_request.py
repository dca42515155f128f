"""Release requests: drafts that somebody asked to have published, for a second person to decide."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.models import Domain

from .release import Release


class RequestState(models.TextChoices):
    ASKED = "asked", "Waiting for approval"
    APPROVED = "approved", "Approved"
    SENT_BACK = "sent_back", "Sent back"
    WITHDRAWN = "withdrawn", "Withdrawn"
    OUTDATED = "outdated", "Out of date"


class ReleaseRequest(models.Model):
    """What is to be published, exactly, and what a second person decided about it.

    keys: of the chosen drafts, see `signatures.releases.content`. again: the earlier release to publish again, without
    drafts. digest: of what would be live; where it no longer matches, the request cannot be approved.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="release_requests")
    keys = models.JSONField(default=list, editable=False)
    again = models.ForeignKey(Release, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    digest = models.CharField(max_length=64, editable=False)
    note = models.CharField(max_length=500, blank=True)
    publish_at = models.DateTimeField(
        null=True, blank=True, help_text="When it goes live; empty for at once."
    )
    rollout = models.JSONField(default=dict, blank=True, help_text="How the release is rolled out.")
    state = models.CharField(max_length=16, choices=RequestState.choices, default=RequestState.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by_label = models.CharField(max_length=255)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by_label = models.CharField(max_length=255, blank=True)
    comment = models.TextField(blank=True)
    release = models.OneToOneField(
        Release, null=True, blank=True, on_delete=models.SET_NULL, related_name="request"
    )
    mailed_state = models.CharField(max_length=16, blank=True, editable=False)
    mail_not_before = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Request {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state == RequestState.ASKED
