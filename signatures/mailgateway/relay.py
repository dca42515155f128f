"""Relay: hands the messages of one client's session to the next hop, over a connection opened when it is needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

from .base import Mail, Outcome
from .envelope import Path
from .gateway import Gateway
from .memory_budget import Share
from .next_hop import NextHop
from .replies import Reply, make_reply
from .smtp_connection import HopLost

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Relay:
    """The next hop for one session. A message that is being passed on is finished also when the client leaves."""

    def __init__(self, gateway: Gateway, running: set[asyncio.Task[object]]) -> None:
        """running: the tasks that stopping waits for, of all sessions."""
        self._gateway = gateway
        self._running = running
        self._hop: NextHop | None = None
        self._passing: asyncio.Task[tuple[Outcome, NextHop | None]] | None = None
        self._is_left = False

    @property
    def extensions(self) -> set[str]:
        """What the next hop offers."""
        return set(self._hop.extensions if self._hop else ())

    @property
    def is_passing(self) -> bool:
        """Whether a message is being passed on."""
        return self._passing is not None and not self._passing.done()

    async def connect(self) -> NextHop | None:
        """Return the open connection, or a new one; None where the next hop does not answer."""
        if self._hop is None or not self._hop.is_open:
            try:
                self._hop = await self._gateway.connect()
            except HopLost as lost:
                logger.warning("no mail is taken: %s", lost)
                self._hop = None
        return self._hop

    async def open_mail(self, sender: Path) -> Reply:
        """Begin the transaction with the next hop; over a new connection where it closed the idle one."""
        for _ in range(2):
            hop = await self.connect()
            if hop is None:
                break
            try:
                return await hop.open_mail(sender)
            except HopLost as lost:
                logger.info("a connection is opened again: %s", lost)
        return make_reply("451 4.4.1 The next hop does not answer. Try again later.")

    async def add_recipient(self, recipient: Path) -> Reply:
        try:
            if self._hop is not None:
                return await self._hop.add_recipient(recipient)
        except HopLost as lost:
            logger.warning("a message is not taken: %s", lost)
        return make_reply("451 4.4.2 The next hop broke off. Try again later.")

    async def reset(self) -> None:
        if self._hop is not None and self._hop.has_transaction:
            try:
                await self._hop.reset()
            except HopLost:
                self._hop = None

    async def pass_on(self, mail: Mail, share: Share) -> Outcome:
        """Return the next hop's answers. share: the message's, held until they are there."""
        await share.hold(len(mail.raw))
        self._passing = self._start(self._gateway.pass_on(mail, self._hop, share))
        del mail
        self._passing.add_done_callback(self._settle)
        outcome, self._hop = await asyncio.shield(self._passing)
        return outcome

    async def strike_out(self, outcome: Outcome) -> None:
        """Remove the receipts of recipients whose client was answered and will not retry."""
        await asyncio.shield(self._start(self._gateway.strike_out(outcome)))

    def close_share(self, share: Share) -> None:
        """Free the memory of a message, as soon as it is passed on."""
        if self._passing is None or self._passing.done():
            share.close()
        else:
            self._passing.add_done_callback(lambda _: share.close())

    def leave(self) -> None:
        """Close the connection, as the client has left. A message that is being passed on is finished first."""
        self._is_left = True
        if self._hop is not None and not self.is_passing:
            self._start(self._hop.close())
            self._hop = None

    def _settle(self, task: asyncio.Task[tuple[Outcome, NextHop | None]]) -> None:
        if self._is_left and not task.cancelled() and task.exception() is None:
            self._hop = task.result()[1]
            self.leave()

    def _start(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Return work that goes on when the client leaves, and that stopping waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
