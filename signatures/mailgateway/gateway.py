"""Gateway: passes a message on, with a copy for each recipient who has a banner of their own.

Copies are sent over the session's own connection, one after the other. Before the final dot of a copy its receipt is
marked, after the answer it says taken, and once the client was answered it is removed. So a retry, after a crash or
after one copy was refused, sends only the missing copies, and none whose answer is not known yet.
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
    """A message for some of the recipients, given by their position in the envelope."""

    recipients: tuple[int, ...]
    pieces: Sequence[memoryview | bytes]
    receipts: tuple[str, ...]


class Gateway:
    """The next hop and the portal, for all sessions."""

    def __init__(
        self, hop: Address, portal: Portal, marks: Marks, *, name: str, deadline_seconds: float
    ) -> None:
        self._hop, self._name = hop, name
        self._planner = BannerPlanner(portal, marks, deadline_seconds=deadline_seconds)
        self._receipts = Receipts(portal)
        self._on_their_way: set[str] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """Begin no more copies; their recipients get a temporary failure."""
        self._is_stopping = True

    def close(self) -> None:
        self._planner.close()
        self._receipts.close()

    async def connect(self) -> NextHop:
        """Return a new connection to the next hop. Raises HopLost."""
        return await NextHop.connect(self._hop, name=self._name)

    async def pass_on(self, mail: Mail, hop: NextHop | None, share: Share) -> tuple[Outcome, NextHop | None]:
        """Hand the message to the next hop; return the reply for each recipient.

        hop: has a transaction open for all the recipients of this mail. The one returned with the outcome replaces it.
        share: of the memory, for this message. Raises nothing: a failure is a reply.
        """
        receipts = await self._planner.make_receipts(mail)
        if not self._on_their_way.isdisjoint(receipts):
            # The client gave up waiting and retries; whether the first attempt arrives is not known yet.
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
        """Return the next hop's replies for these recipients, and store receipts of those it took."""
        theirs = tuple(receipts[at] for at in recipients)
        unchanged = Copy(recipients, (mail.raw,), theirs)
        changed = await self._planner.write(mail, plan, recipients[0])
        answers, hop = await self._send(
            mail, Copy(recipients, changed, theirs) if changed else unchanged, hop
        )
        if changed and any(answer.code >= 500 for answer in answers):
            # A message must not be lost because of a banner in it.
            answers, hop = await self._send(mail, unchanged, hop)
        taken = [receipt for receipt, answer in zip(theirs, answers, strict=True) if answer.is_good]
        await self._receipts.settle(theirs, taken=taken)
        self._planner.forget(taken)
        return answers, hop

    async def strike_out(self, outcome: Outcome) -> None:
        """Remove the receipts of recipients whose client was answered and will not retry."""
        await self._receipts.strike_out(outcome)

    async def _send(self, mail: Mail, copy: Copy, hop: NextHop | None) -> tuple[list[Reply], NextHop | None]:
        """Return the next hop's reply for each recipient of the copy.

        Where the connection broke before the end of the message, it is tried once more over a new one.
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
