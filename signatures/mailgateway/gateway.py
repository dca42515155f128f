"""Gateway: passes a message on, with a copy for each recipient who has a banner of their own.

Every copy goes out over the session's own connection, one after the other. Before its final dot it is written down
as being at its end, and after the answer as taken; that is struck out once whoever handed the message in was told.
So a retry, after a crash or after one copy was refused, sends only what is missing, and nothing of which the next
hop may still be making up its mind.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, TypeVar

from .envelope import Path, with_size
from .memory_budget import Share
from .message import Found, LeftAlone, examine
from .next_hop import Address, HopLost, NextHop, Reply, make_reply
from .slot import Marks, Shown

logger = logging.getLogger(__name__)

MOST_COPIES = 50  # a message to more recipients than this goes on unchanged
MEMORY_SECONDS = 5.0  # a database that hangs does not hold mail up for longer
AWAY_SECONDS = 30.0  # and is then not asked for receipts by every message
DECIDING_THREADS = 8
READING_THREADS = 2  # a large message's text is unpacked in each
SMALL = 65_536  # bytes of a message that is looked into faster than a thread is asked
MOST_DECIDED = 5_000
DECIDED_SECONDS = 600.0  # as long as a decision is good for

MOST_TOLD = 50_000

_PASSED_ON = make_reply("250 2.0.0 It was passed on before.")
_WAITING_STILL = make_reply("451 4.3.0 It is being passed on. Try again later.")
_NOT_KNOWN = make_reply("451 4.3.0 Whether it arrived is not known yet. Try again later.")
_STOPPING = make_reply("451 4.3.2 The gateway is stopping. Try again later.")

T = TypeVar("T")


class Portal(Protocol):
    """What the gateway asks of the portal. Every call may block and may fail."""

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        """Return those of the keys that belong to a sender who sends from one of the addresses."""
        ...

    def decide(self, key: str, recipient: str) -> Shown | None:
        """Return the banner this recipient gets in this sender's slot, or None to leave the slot as it is."""
        ...

    def recall(self, receipts: Collection[str]) -> Mapping[str, bool]:
        """Return those of the receipts that are written down: True for what was taken.

        False for what is at its end, and the next hop may still take it though nobody here hears of it.
        """
        ...

    def mark(self, receipts: Collection[str]) -> None:
        """Write down that these are at their end."""
        ...

    def forget_old(self) -> None:
        """Remove receipts that no mail server asks for any more."""
        ...

    def unmark(self, receipts: Collection[str]) -> None:
        """Strike out those that were at their end, and were not taken."""
        ...

    def remember(self, receipts: Collection[str]) -> None:
        """Write down that these were taken."""
        ...

    def forget(self, receipts: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope, as they were handed in."""

    sender: Path
    recipients: tuple[Path, ...]
    raw: bytes

    def make_receipts(self) -> tuple[str, ...]:
        """Return what tells this message to each recipient from every other, and nobody what or who it was."""
        digest = sha256(self.raw).digest() + self.sender.path + b"\0"
        return tuple(sha256(digest + recipient.path).hexdigest() for recipient in self.recipients)


@dataclass(frozen=True, slots=True)
class Copy:
    """What goes to some of the recipients, by their place in the envelope."""

    recipients: tuple[int, ...]
    pieces: Sequence[memoryview | bytes]
    receipts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gets which banners; whoever is not in it gets the message as it came. found: None where nobody is."""

    found: Found | None = None
    shown: Mapping[int, Mapping[str, Shown]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer for each recipient, and what was written down of them."""

    replies: tuple[Reply, ...]
    receipts: tuple[str, ...]


class Gateway:
    """Knows the next hop and the portal. One for all sessions."""

    def __init__(
        self, hop: Address, portal: Portal, marks: Marks, *, name: str, deadline_seconds: float
    ) -> None:
        self._hop, self._portal, self._marks, self._name = hop, portal, marks, name
        self._deadline_seconds = deadline_seconds
        # Receipt -> when and what was decided for a message that then did not get through: a retry soon after
        # shows the same, and counts once.
        self._decided: dict[str, tuple[float, Mapping[str, Shown]]] = {}
        self._on_their_way: set[str] = set()
        # Told to whoever handed it in, and not struck out yet as the database was away.
        self._told: set[str] = set()
        self._away_until = -math.inf
        self._is_stopping = False
        self._deciders = ThreadPoolExecutor(DECIDING_THREADS, "deciding")
        self._readers = ThreadPoolExecutor(READING_THREADS, "reading")
        # One writes faster than two that wait for each other's locks.
        self._clerks = ThreadPoolExecutor(1, "receipts")

    def stop(self) -> None:
        """Copies that were not begun stay with whoever handed them in."""
        self._is_stopping = True

    def close(self) -> None:
        for pool in (self._deciders, self._readers, self._clerks):
            pool.shutdown(wait=False, cancel_futures=True)

    async def connect(self) -> NextHop:
        """Raises HopLost."""
        return await NextHop.connect(self._hop, name=self._name)

    async def pass_on(self, mail: Mail, hop: NextHop | None, share: Share) -> tuple[Outcome, NextHop | None]:
        """The message is with the next hop, for every recipient whose reply is good.

        hop: with a transaction open for all the recipients of this mail. Returned as it may be used again,
        or in place of one that broke off. share: the message's. Raises nothing: what fails is a reply.
        """
        receipts = await self._work_on(mail, self._readers, mail.make_receipts)
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
        known = await self._recall(receipts)
        waiting = tuple(at for at, receipt in enumerate(receipts) if receipt not in known)
        replies = [_PASSED_ON if known.get(receipt) else _NOT_KNOWN for receipt in receipts]
        plan = await self._plan(mail, waiting, receipts, share)
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
        plan: Plan,
        recipients: tuple[int, ...],
        receipts: Sequence[str],
        hop: NextHop | None,
    ) -> tuple[list[Reply], NextHop | None]:
        """Return what the next hop said to these recipients, which is written down where it took the copy."""
        theirs = tuple(receipts[at] for at in recipients)
        unchanged = Copy(recipients, (mail.raw,), theirs)
        changed = await self._write(mail, plan, recipients[0])
        answers, hop = await self._send(
            mail, Copy(recipients, changed, theirs) if changed else unchanged, hop
        )
        if changed and any(answer.code >= 500 for answer in answers):
            # What we put in must not be the reason that a message does not arrive.
            answers, hop = await self._send(mail, unchanged, hop)
        taken = [receipt for receipt, answer in zip(theirs, answers, strict=True) if answer.is_good]
        await self._remember(taken)
        await self._ask_rows(self._portal.unmark, [one for one in theirs if one not in taken], "struck out")
        for receipt in taken:
            self._decided.pop(receipt, None)
        return answers, hop

    async def strike_out(self, outcome: Outcome) -> None:
        """Whoever handed the message in was told: nothing is kept of what they will not ask for again."""
        self._told.update(
            receipt
            for receipt, reply in zip(outcome.receipts, outcome.replies, strict=True)
            if not reply.is_temporary
        )
        told = list(self._told)
        if await self._ask_rows(self._portal.forget, told, "struck out"):
            self._told.difference_update(told)
        elif len(self._told) > MOST_TOLD:
            self._told.clear()

    async def _plan(
        self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str], share: Share
    ) -> Plan:
        """Return who gets which banners; nobody any wherever anything fails or takes too long."""
        if not waiting:
            return Plan()
        started = asyncio.get_running_loop().time()
        try:
            return await self._choose(mail, waiting, receipts, share, started)
        except LeftAlone as reason:
            logger.debug("a message goes on unchanged: %s", reason)
        except Exception as error:
            logger.warning("a message goes on unchanged, as looking into it failed: %s", type(error).__name__)
        return Plan()

    async def _choose(
        self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str], share: Share, started: float
    ) -> Plan:
        """Return the banners of each recipient who gets one of their own and was decided in time."""

        def left() -> float:
            return max(0.01, started + self._deadline_seconds - asyncio.get_running_loop().time())

        found = await self._work_on(mail, self._readers, _look_into, mail.raw, self._marks, within=left())
        if isinstance(found, str):
            raise LeftAlone(found)
        if len(waiting) > MOST_COPIES:
            raise LeftAlone("it has too many recipients")
        if not await share.hold(len(mail.raw) + found.size, within=left()):
            raise LeftAlone("there is no room to change it")
        addresses = {mail.sender.address.lower(), *found.authors}
        keys = await self._in_thread(
            self._deciders, self._portal.get_own_keys, found.keys, addresses, within=left()
        )
        if not keys:
            raise LeftAlone("its slots are other senders'")
        tasks = {
            at: asyncio.ensure_future(
                self._in_thread(self._deciders, self._decide, keys, mail.recipients[at].address, receipts[at])
            )
            for at in waiting
        }
        await asyncio.wait(tasks.values(), timeout=left())
        shown = {}
        for at, task in tasks.items():
            if not task.done():
                task.cancel()
                logger.warning("a copy goes on unchanged, as deciding took too long")
            elif error := task.exception():
                logger.warning("a copy goes on unchanged, as deciding failed: %s", type(error).__name__)
            elif chosen := task.result():
                shown[at] = chosen
        return Plan(found, shown)

    def _decide(self, keys: Collection[str], recipient: str, receipt: str) -> Mapping[str, Shown]:
        decided_at, shown = self._decided.get(receipt, (-math.inf, {}))
        if time.monotonic() - decided_at > DECIDED_SECONDS:
            decided = {key: self._portal.decide(key, recipient) for key in sorted(keys)}
            shown = {key: banner for key, banner in decided.items() if banner is not None}
            if len(self._decided) >= MOST_DECIDED:
                self._decided.clear()
            self._decided[receipt] = time.monotonic(), shown
        return shown

    async def _write(self, mail: Mail, plan: Plan, at: int) -> list[memoryview | bytes] | None:
        """Return this recipient's copy; None where they get the message as it came, or writing fails."""
        if plan.found is None or at not in plan.shown:
            return None
        try:
            return await self._work_on(
                mail, self._readers, plan.found.write, plan.shown[at], within=self._deadline_seconds
            )
        except Exception as error:
            logger.warning("a copy goes on unchanged, as writing it failed: %s", type(error).__name__)
            return None

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
            sent = await hop.send(copy.pieces, before_end=lambda: self._mark(copy.receipts))
            return [sent] * len(everybody)
        opened = await hop.open_mail(with_size(mail.sender, copy.pieces))
        if not opened.is_good:
            return [opened] * len(copy.recipients)
        replies = [await hop.add_recipient(mail.recipients[at]) for at in copy.recipients]
        if not any(reply.is_good for reply in replies):
            return replies
        marked = [one for one, reply in zip(copy.receipts, replies, strict=True) if reply.is_good]
        sent = await hop.send(copy.pieces, before_end=lambda: self._mark(marked))
        return [sent if reply.is_good else reply for reply in replies]

    async def _recall(self, receipts: Collection[str]) -> Mapping[str, bool]:
        known: dict[str, bool] = {}
        await self._ask_rows(lambda asked: known.update(self._portal.recall(asked)), receipts, "read")
        return known

    async def _mark(self, receipts: Collection[str]) -> None:
        await self._ask_rows(self._portal.mark, receipts, "written down")

    async def _remember(self, receipts: Collection[str]) -> None:
        await self._ask_rows(self._portal.remember, receipts, "written down")

    async def _ask_rows(
        self, call: Callable[[Collection[str]], None], receipts: Collection[str], what: str
    ) -> bool:
        """Return whether the rows could be asked. What failed is logged, and mail flows; see the docs."""
        if not receipts:
            return True
        clock = asyncio.get_running_loop().time
        if clock() < self._away_until:
            return False
        try:
            await self._in_thread(self._clerks, call, receipts, within=MEMORY_SECONDS)
        except Exception as error:
            logger.warning("receipts could not be %s: %s", what, type(error).__name__)
            if isinstance(error, TimeoutError):
                self._away_until = clock() + AWAY_SECONDS
            return False
        return True

    async def _work_on(
        self,
        mail: Mail,
        pool: ThreadPoolExecutor,
        call: Callable[..., T],
        *arguments: object,
        within: float | None = None,
    ) -> T:
        """Return what the call returns: at once for a small message, in a thread where it would take long."""
        if len(mail.raw) <= SMALL:
            return call(*arguments)
        return await self._in_thread(pool, call, *arguments, within=within)

    async def _in_thread(
        self,
        pool: ThreadPoolExecutor,
        call: Callable[..., T],
        *arguments: object,
        within: float | None = None,
    ) -> T:
        """Return what the call returns. Raises TimeoutError when it takes longer; it then runs on by itself."""
        running = asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
        return await asyncio.wait_for(running, within)


def _look_into(raw: bytes, marks: Marks) -> Found | str:
    """Return the message with its slots, or why it is left alone.

    An error that a thread raises and the loop catches is part of a cycle with all its frames, and the message
    in them would stay in memory until the garbage collector comes by.
    """
    try:
        return examine(raw, marks)
    except LeftAlone as reason:
        return str(reason)
