"""Mail receipts: what the mail gateway must keep across a crash; see `signatures.mailgateway.gateway`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class MailReceipt(models.Model):
    """A message that the next hop accepted for one recipient, before whoever handed it in was told.

    digest: of message, envelope sender and recipient together; names none of them.
    is_taken: False while the message was sent and the next hop has not answered.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    is_taken = models.BooleanField(db_default=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"receipt of {self.at:%d %B %Y, %H:%M}"
