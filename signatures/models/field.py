"""Fields: what a domain says about its merge fields, and the fields of its own."""

from __future__ import annotations

from django.db import models

from portal.models import Domain


class EditedBy(models.TextChoices):
    ADMINS = "admins", "Owners and admins"
    EDITORS = "editors", "Editors"
    SENDERS = "senders", "Editors, and the sender"
    APPROVED = "approved", "Editors, and the sender with approval"


class FieldSetting(models.Model):
    """One merge field of one domain, as it is edited now; it goes live with a release.

    A built-in field without a row is as it is built in. A custom field's name says its kind and never changes; a
    removed one keeps its row, so that its name is never given again. One row is about all custom fields with a date.
    """

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="field_settings")
    name = models.CharField(max_length=64)
    label = models.CharField(max_length=80, blank=True)
    help = models.CharField(max_length=255, blank=True)
    default = models.CharField(max_length=500, blank=True)
    is_required = models.BooleanField("required before delivery", default=False)
    edited_by = models.CharField(
        "who may edit it", max_length=16, choices=EditedBy.choices, default=EditedBy.EDITORS
    )
    order = models.JSONField(
        default=list, blank=True, help_text="Sources in the order in which they are asked."
    )
    taken_from = models.CharField(
        "value comes from", max_length=64, blank=True, help_text="Another field of Outreach."
    )
    date_format = models.CharField(max_length=32, blank=True)
    clean_up = models.JSONField(default=dict, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["domain", "name"], name="one_setting_per_field")]

    def __str__(self) -> str:
        return self.label or self.name
