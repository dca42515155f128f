"""Outlook: how many mailboxes a release that is not live yet would change, and how many wait for another reason.

A release changes a mailbox where it gives its owner another signature than the live one does. A mailbox that lacks the
live signature, too, waits already: the next plan writes it, whatever is published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from copy import copy
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
    """Mailboxes of active senders. is_bound: `change` counts also those whose signature may turn out the same.

    overdue: those of `change` that wait already. waiting: further ones that wait, which the release does not change.
    """

    change: int = 0
    overdue: int = 0
    waiting: int = 0
    unchanged: int = 0
    edited: int = 0
    blocked: int = 0
    left_alone: int = 0
    is_bound: bool = False

    @property
    def calls(self) -> int:
        """Return how many calls the plan for everybody needs: each mailbox is read, then written."""
        return 2 * (self.change + self.waiting)


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
        overdue=counts["overdue"],
        waiting=counts["waiting"],
        unchanged=counts["unchanged"],
        edited=counts["edited"],
        blocked=counts["blocked"],
        left_alone=counts["left_alone"],
        is_bound=is_bound,
    )


def _render(connection: Connection, candidate: Candidate) -> Counter[str]:
    coming, live = (Comparison(connection, content) for content in (candidate.content, candidate.before))
    counts: Counter[str] = Counter()
    senders = list(Sender.objects.filter(person__connection=connection).select_related("person"))
    live.composer.expect(senders)
    now = {sender.pk: copy(sender) for sender in senders if sender.pk in candidate.chosen_values}
    for compared in coming.compare([candidate.give_values(sender) for sender in senders]):
        owner = compared.facts.sender
        if owner is not None and compared.status != MailboxStatus.INACTIVE:
            before = live.compare_again(compared, now.get(owner.pk, owner))
            is_moved = _get_sha256(before) != _get_sha256(compared)
            is_due = _foresee_mailbox(before) == "change"
            counts.update(_split(_foresee_mailbox(compared), is_moved=is_moved, is_due=is_due))
    return counts


def _get_sha256(compared: Compared) -> str:
    rendering = compared.facts.rendering
    return rendering.sha256 if rendering is not None else ""


def _foresee_mailbox(compared: Compared) -> str:
    if compared.status in (*IN_PLACE, MailboxStatus.LEFT_ALONE, *HAND_EDITS):
        return _name(compared.status)
    facts = compared.facts
    closed = facts.sender and get_mailbox_block_reason(
        is_lock_unknown=facts.sender.is_lock_unknown, is_editable=facts.mailbox.is_editable
    )
    refused = facts.rendering is not None and facts.rendering.refusal is not None
    return "blocked" if closed or refused else "change"


def _split(figure: str, *, is_moved: bool, is_due: bool) -> list[str]:
    """Return the figures that a mailbox counts for. is_moved: its signature differs; is_due: it waits already."""
    if figure != "change":
        return [figure]
    if not is_moved:
        return ["waiting"]
    return ["change", "overdue"] if is_due else ["change"]


def _bound(candidate: Candidate, audiences: Iterable[Audience]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in audiences:
        if one.status == MailboxStatus.INACTIVE:
            continue
        is_moved = one.sender_id in candidate.chosen_values or is_touched(
            one, candidate.before, candidate.content
        )
        is_due = candidate.live is not None and one.status not in IN_PLACE
        figure = "change" if one.status in IN_PLACE and is_moved else _name(one.status)
        for name in _split(figure, is_moved=is_moved, is_due=is_due):
            counts[name] += one.number
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
