"""Sender outlook: tells a sender in plain words what their mailbox holds, and when a change of theirs goes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from integrations.connection.lifecycle import get_connection
from integrations.models import Connection
from signatures.models import HAND_EDITS, IN_PLACE, AutomaticDelivery, MailboxStatus, Sender
from signatures.releases.live import get_live
from signatures.senders.listing import NO_MAILBOX, STATES, get_status
from signatures.senders.mailbox_status import get_mailboxes

from .automatic import find_next_time, may_deliver

if TYPE_CHECKING:
    from signatures.senders.mailbox_status import MailboxWithStatus

_SENTENCES = {
    MailboxStatus.LEFT_ALONE: "Your company leaves this mailbox as it is, so nothing is written to it.",
    MailboxStatus.ACTION_NEEDED: "It cannot be written at the moment. Whoever looks after signatures sees why.",
    NO_MAILBOX: "Outreach lists no mailbox of yours, so there is nowhere to put a signature.",
}


@dataclass(frozen=True, slots=True)
class SenderOutlook:
    """A sender's status. goes: how a change goes in, in words; goes_at: when, where that is known.

    placed_at: when a mailbox of theirs was last written.
    """

    status: str
    label: str
    sentence: str
    goes: str
    goes_at: datetime | None
    placed_at: datetime | None
    addresses: tuple[str, ...]


def get_outlook(sender: Sender) -> SenderOutlook:
    """Return the status of an active sender, and when the next delivery comes to them."""
    connection = get_connection(sender.domain)
    mailboxes = list(
        get_mailboxes(connection).filter(person_remote_id=sender.person.remote_id).order_by("email")
    )
    status, _ = get_status(sender, mailboxes)
    goes, goes_at = _find_next(sender, connection)
    return SenderOutlook(
        status=status,
        label=dict(STATES)[status],
        sentence=_describe(status),
        goes=goes,
        goes_at=goes_at,
        placed_at=max((box.placed_at for box in mailboxes if box.placed_at), default=None),
        addresses=_list_addresses(mailboxes),
    )


def _list_addresses(mailboxes: Sequence[MailboxWithStatus]) -> tuple[str, ...]:
    return tuple(mailbox.email for mailbox in mailboxes)


def _describe(status: str) -> str:
    if status in IN_PLACE:
        return "It is in your mailbox, as shown here."
    if status in HAND_EDITS:
        return "Your mailbox was edited in Outreach. Your company decides which signature stays."
    return _SENTENCES.get(status, "")


def _find_next(sender: Sender, connection: Connection | None) -> tuple[str, datetime | None]:
    """Return how a change of a value reaches the mailbox, and when, where a time of day is set."""
    if connection is None or get_live(sender.domain) is None or not may_deliver(connection):
        return "goes in with the next delivery that your company starts", None
    policy = sender.live_group
    if policy is None or policy.automatic == AutomaticDelivery.AT_ONCE:
        return "goes in within minutes, with the next sync", None
    if policy.automatic == AutomaticDelivery.APPROVAL or policy.automatic_at is None:
        return "goes in once somebody of your company has agreed", None
    return "goes in", find_next_time([policy.automatic_at], sender.domain)
