"""Assumption reports: what a check of the assumptions about a provider showed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from .connection import Connection


class AssumptionReport(models.Model):
    """One check: findings for the page, and the report that can be sent to the maintainers. Never changed."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="assumption_reports")
    created_at = models.DateTimeField(default=timezone.now)
    actor_label = models.CharField(max_length=254)
    findings = models.JSONField(help_text="A list of objects: name, assumed, verdict, seen, meaning.")
    report = models.JSONField(help_text="Every personal value is replaced by its type and length.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"assumptions, {self.created_at:%Y-%m-%d %H:%M}"
