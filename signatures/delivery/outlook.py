"""Outlook: how many mailboxes a release that is not live yet would change, from their stored status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from integrations.models import Connection
from signatures.models import MailboxStatus, Sender
from signatures.releases.candidate import Candidate
from signatures.releases.reach import Audience, is_touched
from signatures.senders.company_size import is_small

from .mailbox_judgement import get_mailbox_block_reason
from .planning import HAND_EDITS, IN_PLACE
from .status import Compared, Comparison


@dataclass(frozen=True, slots=True)
class Outlook:
    """Mailboxes of active senders. is_bound: `change` counts also those whose signature may turn out the same."""

    change: int = 0
    unchanged: int = 0
    edited: int = 0
    blocked: int = 0
    left_alone: int = 0
    is_bound: bool = False

    @property
    def total(self) -> int:
        return self.change + self.unchanged + self.edited + self.blocked + self.left_alone


def foresee(connection: Connection | None, candidate: Candidate, audiences: Iterable[Audience]) -> Outlook:
    """Return what delivering the candidate to everybody would do. Stores nothing, makes no call.

    A small domain's senders are rendered; in a large one every mailbox counts as changing whose release or values
    differ. audiences: of mailboxes.
    """
    if connection is None:
        return Outlook()
    if is_small(candidate.domain):
        return _make(_render(connection, candidate))
    return _make(_bound(candidate, audiences), is_bound=True)


def _make(counts: Counter[str], *, is_bound: bool = False) -> Outlook:
    return Outlook(
        change=counts["change"],
        unchanged=counts["unchanged"],
        edited=counts["edited"],
        blocked=counts["blocked"],
        left_alone=counts["left_alone"],
        is_bound=is_bound,
    )


def _render(connection: Connection, candidate: Candidate) -> Counter[str]:
    comparison = Comparison(connection, candidate.content)
    counts: Counter[str] = Counter()
    senders = Sender.objects.filter(person__connection=connection).select_related("person")
    for compared in comparison.compare([candidate.give_values(sender) for sender in senders]):
        if compared.status != MailboxStatus.INACTIVE:
            counts[_foresee_mailbox(compared)] += 1
    return counts


def _foresee_mailbox(compared: Compared) -> str:
    if compared.status in (*IN_PLACE, MailboxStatus.LEFT_ALONE, *HAND_EDITS):
        return _name(compared.status)
    facts = compared.facts
    closed = facts.sender and get_mailbox_block_reason(
        is_lock_unknown=facts.sender.is_lock_unknown, is_editable=facts.mailbox.is_editable
    )
    refused = facts.rendering is not None and facts.rendering.refusal is not None
    return "blocked" if closed or refused else "change"


def _bound(candidate: Candidate, audiences: Iterable[Audience]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in audiences:
        is_moved = one.sender_id in candidate.chosen_values or is_touched(
            one, candidate.before, candidate.content
        )
        if one.status in IN_PLACE and is_moved:
            counts["change"] += one.number
        elif one.status != MailboxStatus.INACTIVE:
            counts[_name(one.status)] += one.number
    return counts


def _name(status: str) -> str:
    """Return the figure that a stored status counts for."""
    if status in IN_PLACE:
        return "unchanged"
    if status in HAND_EDITS:
        return "edited"
    return {MailboxStatus.LEFT_ALONE: "left_alone", MailboxStatus.ACTION_NEEDED: "blocked"}.get(
        MailboxStatus(status), "change"
    )
