"""Gateway: passes a message on, with a copy for each recipient who has a banner of their own.

Every copy goes out over the session's own connection, one after the other. Before its final dot it is written down
as being at its end, and after the answer as taken; that is struck out once whoever handed the message in was told.
So a retry, after a crash or after one copy was refused, sends only what is missing, and nothing of which the next
hop may still be making up its mind.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from .base import Mail, Outcome, Portal
from .envelope import with_size
from .memory_budget import Share
from .next_hop import NextHop
from .planner import BannerPlan, BannerPlanner
from .receipts import Receipts
from .replies import Reply, make_reply
from .slot import Marks
from .smtp_connection import Address, HopLost

logger = logging.getLogger(__name__)

_PASSED_ON = make_reply("250 2.0.0 It was passed on before.")
_WAITING_STILL = make_reply("451 4.3.0 It is being passed on. Try again later.")
_NOT_KNOWN = make_reply("451 4.3.0 Whether it arrived is not known yet. Try again later.")
_STOPPING = make_reply("451 4.3.2 The gateway is stopping. Try again later.")


@dataclass(frozen=True, slots=True)
class Copy:
    """What goes to some of the recipients, by their place in the envelope."""

    recipients: tuple[int, ...]
    pieces: Sequence[memoryview | bytes]
    receipts: tuple[str, ...]


class Gateway:
    """Knows the next hop and the portal. One for all sessions."""

    def __init__(
        self, hop: Address, portal: Portal, marks: Marks, *, name: str, deadline_seconds: float
    ) -> None:
        self._hop, self._name = hop, name
        self._planner = BannerPlanner(portal, marks, deadline_seconds=deadline_seconds)
        self._receipts = Receipts(portal)
        self._on_their_way: set[str] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """Copies that were not begun stay with whoever handed them in."""
        self._is_stopping = True

    def close(self) -> None:
        self._planner.close()
        self._receipts.close()

    async def connect(self) -> NextHop:
        """Raises HopLost."""
        return await NextHop.connect(self._hop, name=self._name)

    async def pass_on(self, mail: Mail, hop: NextHop | None, share: Share) -> tuple[Outcome, NextHop | None]:
        """The message is with the next hop, for every recipient whose reply is good.

        hop: with a transaction open for all the recipients of this mail. Returned as it may be used again,
        or in place of one that broke off. share: the message's. Raises nothing: what fails is a reply.
        """
        receipts = await self._planner.make_receipts(mail)
        if not self._on_their_way.isdisjoint(receipts):
            # Its client lost patience and came again; whether the first attempt arrives is not known yet.
            return Outcome((_WAITING_STILL,) * len(receipts), receipts), hop
        self._on_their_way |= set(receipts)
        try:
            return await self._pass_on(mail, receipts, hop, share)
        finally:
            self._on_their_way -= set(receipts)

    async def _pass_on(
        self, mail: Mail, receipts: tuple[str, ...], hop: NextHop | None, share: Share
    ) -> tuple[Outcome, NextHop | None]:
        known = await self._receipts.recall(receipts)
        waiting = tuple(at for at, receipt in enumerate(receipts) if receipt not in known)
        replies = [_PASSED_ON if known.get(receipt) else _NOT_KNOWN for receipt in receipts]
        plan = await self._planner.plan(mail, waiting, receipts, share)
        others = tuple(at for at in waiting if at not in plan.shown)
        for recipients in ([others] if others else []) + [(at,) for at in plan.shown]:
            if self._is_stopping:
                answers = [_STOPPING] * len(recipients)
            else:
                answers, hop = await self._pass_copy(mail, plan, recipients, receipts, hop)
            for at, answer in zip(recipients, answers, strict=True):
                replies[at] = answer
        return Outcome(tuple(replies), receipts), hop

    async def _pass_copy(
        self,
        mail: Mail,
        plan: BannerPlan,
        recipients: tuple[int, ...],
        receipts: Sequence[str],
        hop: NextHop | None,
    ) -> tuple[list[Reply], NextHop | None]:
        """Return what the next hop said to these recipients, which is written down where it took the copy."""
        theirs = tuple(receipts[at] for at in recipients)
        unchanged = Copy(recipients, (mail.raw,), theirs)
        changed = await self._planner.write(mail, plan, recipients[0])
        answers, hop = await self._send(
            mail, Copy(recipients, changed, theirs) if changed else unchanged, hop
        )
        if changed and any(answer.code >= 500 for answer in answers):
            # What we put in must not be the reason that a message does not arrive.
            answers, hop = await self._send(mail, unchanged, hop)
        taken = [receipt for receipt, answer in zip(theirs, answers, strict=True) if answer.is_good]
        await self._receipts.settle(theirs, taken=taken)
        self._planner.forget(taken)
        return answers, hop

    async def strike_out(self, outcome: Outcome) -> None:
        """Keep nothing of what whoever handed the message in will not ask for again, as they were told."""
        await self._receipts.strike_out(outcome)

    async def _send(self, mail: Mail, copy: Copy, hop: NextHop | None) -> tuple[list[Reply], NextHop | None]:
        """Return what the next hop said to each recipient of the copy.

        Where the connection broke before the message's end, it is tried once more over a new one.
        """
        for is_last in (False, True):
            try:
                if hop is None or not hop.is_open:
                    hop = await self.connect()
                replies = await self._send_over(mail, copy, hop)
            except HopLost as lost:
                if lost.was_at_end or is_last:
                    logger.warning("a message could not be passed on: %s", lost)
                    break
                continue
            if is_last or all(reply.code != 421 for reply in replies):
                return replies, hop
        return [make_reply("451 4.4.2 The next hop does not answer. Try again later.")] * len(
            copy.recipients
        ), hop

    async def _send_over(self, mail: Mail, copy: Copy, hop: NextHop) -> list[Reply]:
        everybody = tuple(range(len(mail.recipients)))
        if hop.has_transaction and copy.recipients == everybody:
            sent = await hop.send(copy.pieces, before_end=lambda: self._receipts.mark(copy.receipts))
            return [sent] * len(everybody)
        opened = await hop.open_mail(with_size(mail.sender, copy.pieces))
        if not opened.is_good:
            return [opened] * len(copy.recipients)
        replies = [await hop.add_recipient(mail.recipients[at]) for at in copy.recipients]
        if not any(reply.is_good for reply in replies):
            return replies
        marked = [one for one, reply in zip(copy.receipts, replies, strict=True) if reply.is_good]
        sent = await hop.send(copy.pieces, before_end=lambda: self._receipts.mark(marked))
        return [sent if reply.is_good else reply for reply in replies]
