"""Dated rows: what holds from a first to a last day, in the domain's time zone."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import F, Q


class DateState(models.TextChoices):
    SCHEDULED = "scheduled", "Scheduled"
    ACTIVE = "active", "Active"
    OVER = "over", "Over"


class Dated(models.Model):
    """Something with a first day, a last day, or both."""

    starts_on = models.DateField("first day", null=True, blank=True)
    ends_on = models.DateField("last day", null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["starts_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_on__isnull=False) | Q(ends_on__isnull=False),
                name="%(class)s_has_a_date",
                violation_error_message="Enter the first day, the last day, or both.",
            ),
            models.CheckConstraint(
                condition=Q(starts_on__isnull=True)
                | Q(ends_on__isnull=True)
                | Q(starts_on__lte=F("ends_on")),
                name="%(class)s_ends_after_it_starts",
                violation_error_message="The last day is before the first.",
            ),
        ]

    def get_dates(self) -> dict[str, str]:
        """Return both days in ISO format, '' for none, as `signatures.senders.dates.Dates` takes them."""
        return {
            "starts": self.starts_on.isoformat() if self.starts_on else "",
            "ends": self.ends_on.isoformat() if self.ends_on else "",
        }

    def get_state(self, day: date) -> DateState:
        if self.ends_on is not None and self.ends_on < day:
            return DateState.OVER
        if self.starts_on is not None and self.starts_on > day:
            return DateState.SCHEDULED
        return DateState.ACTIVE
