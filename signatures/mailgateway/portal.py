"""Portal: answers the gateway from the database: whose slot it is, which banner, and which copies were passed on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseFailure
from django.db import close_old_connections
from django.utils import timezone

from integrations.models import Mailbox
from portal.counters import COUNTERS
from signatures.decisions.decide import decide
from signatures.models import Decision, MailReceipt, Sender

from .next_hop import END_SECONDS
from .slot import Shown

# As long as the next hop may take for its answer, and clocks may differ.
UNSURE = timedelta(seconds=END_SECONDS + 60)
KEPT = timedelta(days=6)  # a day longer than mail servers usually try again

P = ParamSpec("P")
T = TypeVar("T")


def _in_a_thread(call: Callable[P, T]) -> Callable[P, T]:
    """Close broken and expired database connections before and after the call, as Django does between requests."""

    @wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        close_old_connections()
        try:
            return call(*args, **kwargs)
        finally:
            close_old_connections()

    return wrapped


class SenderAndReceiptRows:
    """Implements `base.Portal` with the rows of senders, decisions and receipts. Every call blocks."""

    @_in_a_thread
    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        senders = Sender.objects.filter(banner_key__in=keys, is_active=True).select_related("person")
        return {sender.banner_key for sender in senders if _sends_from(sender, addresses)}

    @_in_a_thread
    def decide(self, key: str, recipient: str) -> Shown | None:
        sender = Sender.objects.select_related("domain").get(banner_key=key)
        decided = decide(sender.domain, sender, recipient, way=Decision.Way.API, at=timezone.now())
        with suppress(DatabaseFailure):  # kept in memory until the next one
            COUNTERS.flush_if_due()
        shown = decided.banner
        if shown is None:
            return None
        return Shown(shown.image_url, shown.image_url_2x, shown.click_url, shown.alt)

    @_in_a_thread
    def recall(self, receipts: Collection[str]) -> dict[str, bool]:
        now = timezone.now()
        rows = MailReceipt.objects.filter(pk__in=receipts)
        return {row.digest: row.is_taken for row in rows if row.is_taken or abs(now - row.at) < UNSURE}

    @_in_a_thread
    def mark(self, receipts: Collection[str]) -> None:
        self._write(receipts, is_taken=False, anew=["at"])

    @_in_a_thread
    def unmark(self, receipts: Collection[str]) -> None:
        MailReceipt.objects.filter(pk__in=receipts, is_taken=False).delete()

    @_in_a_thread
    def remember(self, receipts: Collection[str]) -> None:
        self._write(receipts, is_taken=True, anew=["at", "is_taken"])

    @staticmethod
    def _write(receipts: Collection[str], *, is_taken: bool, anew: list[str]) -> None:
        """Store receipts. anew: the columns that change where a receipt is stored already."""
        MailReceipt.objects.bulk_create(
            [MailReceipt(digest=one, is_taken=is_taken) for one in receipts],
            update_conflicts=True,
            unique_fields=["digest"],
            update_fields=anew,
        )

    @_in_a_thread
    def forget(self, receipts: Collection[str]) -> None:
        MailReceipt.objects.filter(pk__in=receipts).delete()

    @_in_a_thread
    def forget_old(self) -> None:
        """Remove receipts of messages that no mail server tries again any more."""
        MailReceipt.objects.filter(at__lt=timezone.now() - KEPT).delete()


def _sends_from(sender: Sender, addresses: Collection[str]) -> bool:
    """Return whether one of the addresses, in lower case, is the sender's own or one of their mailboxes'."""
    if sender.email.lower() in addresses:
        return True
    mailboxes = Mailbox.objects.filter(
        connection_id=sender.person.connection_id, person_remote_id=sender.person.remote_id
    )
    return any(email.lower() in addresses for email in mailboxes.values_list("email", flat=True))
