"""Passes one message on: a copy for each recipient that gets a banner of their own, one for all others.

Every copy goes out over the session's own connection, one after the other. What the next hop took is written
down before anything else happens and struck out once whoever handed the message in was told, so that a retry
after a crash, or after one copy was refused, sends only what is missing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from .message import Found, LeftAlone, examine
from .relay import Address, HopLost, NextHop, Path, Reply, make_reply, with_size
from .slot import Marks, Shown

logger = logging.getLogger(__name__)

MOST_COPIES = 50  # a message to more recipients than this goes on unchanged
MEMORY_SECONDS = 5.0  # a database that hangs does not hold mail up for longer
DECIDING_THREADS = 8
SMALL = 65_536  # bytes of a message that is looked into faster than a thread is asked
MOST_DECIDED = 5_000
DECIDED_SECONDS = 600.0  # as long as a decision is good for

T = TypeVar("T")


class Portal(Protocol):
    """What the gateway asks of the portal. Every call may block and may fail."""

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        """Return those of the keys that belong to a sender who sends from one of the addresses."""
        ...

    def decide(self, key: str, recipient: str) -> Shown | None:
        """Return the banner this recipient gets in this sender's slot, or None to leave the slot as it is."""
        ...

    def recall(self, receipts: Collection[str]) -> set[str]:
        """Return those of the receipts that are written down."""
        ...

    def remember(self, receipts: Collection[str]) -> None: ...

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
    is_changed: bool = False


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
        self._deciders = ThreadPoolExecutor(DECIDING_THREADS, "deciding")
        # One writes faster than two that wait for each other's locks.
        self._clerks = ThreadPoolExecutor(1, "receipts")

    def close(self) -> None:
        for pool in (self._deciders, self._clerks):
            pool.shutdown(wait=False, cancel_futures=True)

    async def connect(self) -> NextHop:
        """Raises HopLost."""
        return await NextHop.connect(self._hop, name=self._name)

    async def pass_on(self, mail: Mail, hop: NextHop | None) -> tuple[Outcome, NextHop | None]:
        """The message is with the next hop, for every recipient whose reply is good.

        hop: with a transaction open for all the recipients of this mail. Returned as it may be used again,
        or in place of one that broke off. Raises nothing: what fails is a reply.
        """
        receipts = await self._work_on(mail, self._clerks, mail.make_receipts)
        if not self._on_their_way.isdisjoint(receipts):
            # Its client lost patience and came again; whether the first attempt arrives is not known yet.
            waiting_still = make_reply("451 4.3.0 It is being passed on. Try again later.")
            return Outcome((waiting_still,) * len(receipts), receipts), hop
        self._on_their_way |= set(receipts)
        try:
            return await self._pass_on(mail, receipts, hop)
        finally:
            self._on_their_way -= set(receipts)

    async def _pass_on(
        self, mail: Mail, receipts: tuple[str, ...], hop: NextHop | None
    ) -> tuple[Outcome, NextHop | None]:
        known = await self._recall(receipts)
        waiting = tuple(at for at, receipt in enumerate(receipts) if receipt not in known)
        replies = [make_reply("250 2.0.0 It was passed on before.")] * len(receipts)
        for copy in await self._plan(mail, waiting, receipts):
            answers, hop = await self._send(mail, copy, hop)
            if copy.is_changed and any(answer.code >= 500 for answer in answers):
                # What we put in must not be the reason that a message does not arrive.
                answers, hop = await self._send(mail, Copy(copy.recipients, (mail.raw,)), hop)
            for at, answer in zip(copy.recipients, answers, strict=True):
                replies[at] = answer
            taken = [receipts[at] for at in copy.recipients if replies[at].is_good]
            await self._remember(taken)
            for receipt in taken:
                self._decided.pop(receipt, None)
        return Outcome(tuple(replies), receipts), hop

    async def strike_out(self, outcome: Outcome) -> None:
        """Whoever handed the message in was told and will not ask again: nothing is kept of it."""
        try:
            await self._in_thread(self._clerks, self._portal.forget, outcome.receipts, within=MEMORY_SECONDS)
        except Exception as error:
            logger.warning("a receipt could not be struck out: %s", type(error).__name__)

    async def _plan(self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str]) -> list[Copy]:
        """Return the copies to send; unchanged, and one for all, wherever anything fails or takes too long."""
        if not waiting:
            return []
        started = asyncio.get_running_loop().time()
        try:
            shown = await self._choose(mail, waiting, receipts, started)
        except LeftAlone as reason:
            logger.debug("a message goes on unchanged: %s", reason)
        except Exception as error:
            logger.warning("a message goes on unchanged, as looking into it failed: %s", type(error).__name__)
        else:
            changed = {at for copy in shown for at in copy.recipients}
            others = tuple(at for at in waiting if at not in changed)
            return [*([Copy(others, (mail.raw,))] if others else []), *shown]
        return [Copy(waiting, (mail.raw,))]

    async def _choose(
        self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str], started: float
    ) -> list[Copy]:
        """Return a copy for each recipient who gets a banner of their own and was decided in time."""

        def left() -> float:
            return max(0.01, started + self._deadline_seconds - asyncio.get_running_loop().time())

        found = await self._work_on(mail, self._deciders, examine, mail.raw, self._marks, within=left())
        if len(waiting) > MOST_COPIES:
            raise LeftAlone("it has too many recipients")
        addresses = {mail.sender.address.lower(), *found.authors}
        keys = await self._in_thread(
            self._deciders, self._portal.get_own_keys, found.keys, addresses, within=left()
        )
        if not keys:
            raise LeftAlone("its slots are other senders'")
        tasks = {
            at: asyncio.ensure_future(
                self._in_thread(
                    self._deciders, self._write, found, keys, mail.recipients[at].address, receipts[at]
                )
            )
            for at in waiting
        }
        await asyncio.wait(tasks.values(), timeout=left())
        copies = []
        for at, task in tasks.items():
            if not task.done():
                task.cancel()
                logger.warning("a copy goes on unchanged, as deciding took too long")
            elif error := task.exception():
                logger.warning("a copy goes on unchanged, as deciding failed: %s", type(error).__name__)
            elif pieces := task.result():
                copies.append(Copy((at,), pieces, is_changed=True))
        return copies

    def _write(
        self, found: Found, keys: Collection[str], recipient: str, receipt: str
    ) -> list[memoryview | bytes] | None:
        decided_at, shown = self._decided.get(receipt, (-math.inf, {}))
        if time.monotonic() - decided_at > DECIDED_SECONDS:
            decided = {key: self._portal.decide(key, recipient) for key in sorted(keys)}
            shown = {key: banner for key, banner in decided.items() if banner is not None}
            if len(self._decided) >= MOST_DECIDED:
                self._decided.clear()
            self._decided[receipt] = time.monotonic(), shown
        return found.write(shown) if shown else None

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
            return [await hop.send(copy.pieces)] * len(everybody)
        opened = await hop.open_mail(with_size(mail.sender, copy.pieces))
        if not opened.is_good:
            return [opened] * len(copy.recipients)
        replies = [await hop.add_recipient(mail.recipients[at]) for at in copy.recipients]
        if not any(reply.is_good for reply in replies):
            return replies
        sent = await hop.send(copy.pieces)
        return [sent if reply.is_good else reply for reply in replies]

    async def _recall(self, receipts: Collection[str]) -> set[str]:
        try:
            return await self._in_thread(self._clerks, self._portal.recall, receipts, within=MEMORY_SECONDS)
        except Exception as error:
            logger.warning("receipts could not be read: %s", type(error).__name__)
            return set()

    async def _remember(self, receipts: Collection[str]) -> None:
        if not receipts:
            return
        try:
            await self._in_thread(self._clerks, self._portal.remember, receipts, within=MEMORY_SECONDS)
        except Exception as error:
            logger.warning("a receipt could not be written down: %s", type(error).__name__)

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
