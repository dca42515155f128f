"""Mailbox judgement: the status of one mailbox, from what it holds, what we wrote and what is rendered; pure."""

from __future__ import annotations

from dataclasses import dataclass

from integrations.models import Mailbox
from signatures.models import LeftAlone, MailboxStatus, Placement, Sender
from signatures.releases.compose import NOTHING_PUBLISHED, Refusal

from .digest import digest, reads_the_same

LOCK_UNKNOWN = Refusal(
    "lock_unknown",
    "Outreach did not report whether this person is locked, so nothing is written.",
)
EDITABLE_UNKNOWN = Refusal(
    "editable_unknown",
    "Outreach did not report whether the integration user may edit this mailbox, so nothing is written.",
)
NOT_EDITABLE = Refusal(
    "not_editable",
    "The mailbox is not shared with the integration user. Share it in Outreach.",
)


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a content renders for one sender. sha256: '' where `refusal` says why there is nothing."""

    made_from: str
    version_id: int | None
    sha256: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a mailbox's status follows from. placed_html: what we wrote last, '' where it is not kept."""

    sender: Sender | None
    mailbox: Mailbox
    rendering: Rendering | None
    placement: Placement | None = None
    placed_html: str = ""
    left_alone: LeftAlone | None = None
    attempt: Refusal | None = None


def judge(facts: Facts) -> tuple[MailboxStatus, Refusal | None]:
    """Return a mailbox's status, and why action is needed where it is."""
    sender, mailbox, rendering = facts.sender, facts.mailbox, facts.rendering
    if sender is None or (not sender.is_active and not sender.is_lock_unknown):
        return MailboxStatus.INACTIVE, None
    if facts.left_alone is not None:
        return MailboxStatus.LEFT_ALONE, None
    edited = _judge_edit(facts)
    if edited is not None and (rendering is None or digest(mailbox.signature_html) != rendering.sha256):
        return edited, None
    hindrance = get_mailbox_block_reason(
        is_lock_unknown=sender.is_lock_unknown, is_editable=mailbox.is_editable
    ) or (rendering.refusal if rendering else None)
    if hindrance == NOTHING_PUBLISHED:
        return (MailboxStatus.NEVER if facts.placement is None else MailboxStatus.PENDING), None
    if hindrance is not None:
        return MailboxStatus.ACTION_NEEDED, hindrance
    if rendering is not None and _holds(facts, rendering.sha256):
        return (MailboxStatus.ALTERED if _is_altered(facts) else MailboxStatus.UP_TO_DATE), None
    if facts.attempt is not None:
        return MailboxStatus.ACTION_NEEDED, facts.attempt
    return (MailboxStatus.NEVER if facts.placement is None else MailboxStatus.PENDING), None


def _judge_edit(facts: Facts) -> MailboxStatus | None:
    """Return the status of a mailbox that, read after our write, holds another signature; else None."""
    placement, held = facts.placement, facts.mailbox.signature_html
    if not was_edited(facts.mailbox, placement):
        return None
    if facts.placed_html and reads_the_same(held, facts.placed_html):
        return None
    return MailboxStatus.EDITED if held.strip() else MailboxStatus.EMPTIED


def was_edited(mailbox: Mailbox, placement: Placement | None) -> bool:
    """Return whether the mirror, read after our write, shows something else than the reply to it."""
    if placement is None or mailbox.read_at < placement.placed_at:
        return False
    return digest(mailbox.signature_html) != placement.returned_sha256


def _holds(facts: Facts, sha256: str) -> bool:
    """Return whether the mailbox holds this signature, as far as the mirror and our own replies tell."""
    held, placement = digest(facts.mailbox.signature_html), facts.placement
    if placement is None:
        return held == sha256
    is_read_since = facts.mailbox.read_at >= placement.placed_at
    if placement.rendered_sha256 == sha256:
        return True  # an edit since then would have been read
    return is_read_since and held == sha256


def _is_altered(facts: Facts) -> bool:
    """Return whether the mailbox holds our signature in other markup than we sent."""
    placement, held = facts.placement, digest(facts.mailbox.signature_html)
    if placement is None:
        return False
    is_read_since = facts.mailbox.read_at >= placement.placed_at
    if is_read_since and facts.rendering is not None and facts.rendering.sha256 == held:
        return False  # an edit that equals what is rendered by now
    return placement.rendered_sha256 != (held if is_read_since else placement.returned_sha256)


def get_mailbox_block_reason(*, is_lock_unknown: bool, is_editable: bool | None) -> Refusal | None:
    """Return why nothing may be written to this mailbox of an active sender, or None where it may.

    is_lock_unknown: of the sender. is_editable: of the mailbox, None where Outreach did not say.
    """
    if is_lock_unknown:
        return LOCK_UNKNOWN
    if is_editable is None:
        return EDITABLE_UNKNOWN
    return None if is_editable else NOT_EDITABLE
