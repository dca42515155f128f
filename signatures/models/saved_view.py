"""Saved views: named filters of the list of senders."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.models import Domain


class SavedView(models.Model):
    """Filters of the list of senders under a name: one person's own, or the whole domain's."""

    domain = models.ForeignKey(Domain, on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Whose view it is; empty for one that the whole domain shares.",
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True, help_text="The filters, as in the list's address.")
    created_by_label = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["domain", "owner", "name"], name="one_own_view_per_name"),
            models.UniqueConstraint(
                fields=["domain", "name"], condition=Q(owner=None), name="one_shared_view_per_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
