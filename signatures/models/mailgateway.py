"""What the mail gateway must remember across a crash; see `signatures.mailgateway.gateway`."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class MailReceipt(models.Model):
    """The next hop took one message for one recipient, and whoever handed it in was not told yet.

    digest: of message, envelope sender and recipient together; names none of them.
    is_taken: False while all was sent but the answer: whether the next hop takes it is not known.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    is_taken = models.BooleanField(db_default=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"receipt of {self.at:%d %B %Y, %H:%M}"
