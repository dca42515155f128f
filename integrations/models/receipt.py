"""Receipts: one signed receipt for each disconnect, which outlives the connection."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.utils import timezone

from portal.models import Domain


class Receipt(models.Model):
    """How one connection ended. Outlives the connection; written once.

    payload: exactly the bytes that were signed, as text; see `integrations.disconnect.receipts`.
    """

    domain = models.ForeignKey(Domain, null=True, on_delete=models.SET_NULL, related_name="receipts")
    domain_name = models.CharField(max_length=253)
    connection_ref = models.CharField(max_length=36)
    created_at = models.DateTimeField(default=timezone.now)
    payload = models.TextField()
    signature = models.JSONField(
        default=dict, help_text="Empty if the signing key could not be opened; it is then signed later."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["connection_ref"], name="one_receipt_per_connection")]

    def __str__(self) -> str:
        return f"receipt of {self.domain_name}, {self.created_at:%Y-%m-%d}"

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.payload)
        return content

    @property
    def is_signed(self) -> bool:
        return bool(self.signature)
