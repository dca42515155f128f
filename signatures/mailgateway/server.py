"""SMTP server: takes mail by SMTP or LMTP from trusted networks, and answers for every recipient.

Each command of the client's transaction is sent to the next hop as well, and its replies are passed back: to MAIL, to
RCPT, and to the message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiosmtpd.smtp import SMTP

from .gateway import Gateway
from .incoming import Incoming
from .memory_budget import Budget, Share
from .relay import Relay
from .replies import Reply, make_reply, summarise
from .smtp_connection import CHUNK
from .transaction import ARRIVING, Transaction, read_message

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
PASSING_SECONDS = 3_600.0  # while a message is passed on, which has time limits of its own
LONGEST_COMMAND = 4_096
MOST_SESSIONS = 200
DATA_SECONDS = 600.0  # for a whole message, however slowly it comes

_NEXT_HOP_EXTENSIONS = ("8BITMIME", "SMTPUTF8", "DSN")


@dataclass(slots=True)
class Listener:
    """What all sessions share: the gateway, the networks that may connect, and the limits."""

    gateway: Gateway
    trusted: Sequence[IPv4Network | IPv6Network]
    size_limit: int
    name: str
    budget: Budget
    data_seconds: float = DATA_SECONDS
    sessions: set[Session] = field(default_factory=set)
    passing: set[asyncio.Task[object]] = field(default_factory=set)
    is_stopping: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether a message is on its way in or out."""
        return bool(self.passing) or self.is_receiving

    @property
    def is_receiving(self) -> bool:
        """Whether a message is on its way in."""
        return any(session.is_receiving for session in self.sessions)

    def refuse(self, peer: Sequence[object] | None) -> str | None:
        """Return why no session is opened with this client, or None."""
        if not peer or not self._trusts(str(peer[0])):
            return "554 5.7.1 This gateway takes no mail from here."
        if len(self.sessions) > MOST_SESSIONS:
            return "421 4.3.2 Too many sessions at once. Try again later."
        return None

    def _trusts(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


class _ErrorHandler:
    """Answers errors of our own with a temporary failure, and logs nothing of the mail."""

    async def handle_exception(self, error: Exception) -> str:
        if isinstance(error, asyncio.IncompleteReadError):
            return "421 4.4.2 Goodbye."  # the client left
        logger.error("a session failed: %s", type(error).__name__)
        return "451 4.3.0 Something went wrong here. Try again later."


class Session(SMTP):
    """One client's session: its connection and its commands."""

    line_length_limit = CHUNK  # of the reader; in a message only its size is limited

    def __init__(self, listener: Listener, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _ErrorHandler(),
            data_size_limit=listener.size_limit,
            enable_SMTPUTF8=True,
            hostname=listener.name,
            ident="Countersign mail gateway",
            timeout=IDLE_SECONDS,
            loop=loop,
        )
        self.command_size_limit = LONGEST_COMMAND
        self.command_size_limits = defaultdict(lambda: LONGEST_COMMAND)
        self._listener = listener
        self._relay = Relay(listener.gateway, listener.passing)
        self._transaction = Transaction(self._relay, listener.size_limit)
        self._is_lmtp = False

    async def _handle_client(self) -> None:
        self._listener.sessions.add(self)
        if refusal := self._listener.refuse(self._writer.get_extra_info("peername")):
            await self.push(refusal)
            self._hang_up()
            return
        await super()._handle_client()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._listener.sessions.discard(self)
        self._relay.leave()

    @property
    def is_receiving(self) -> bool:
        """Whether a message is on its way in, and is not being passed on yet."""
        return self._transaction.is_open and not self._relay.is_passing

    def finish(self, *, at_once: bool = False) -> None:
        """End the session where the gateway stops and no message is on its way. at_once: or still on its way in."""
        is_free = not self._transaction.is_open or (at_once and self.is_receiving)
        if self._listener.is_stopping and is_free and self.transport is not None:
            self._writer.write(b"421 4.3.2 The gateway is stopping.\r\n")
            self._hang_up()

    def _timeout_cb(self) -> None:
        """Tell a client that was silent for too long why the session ends."""
        self._writer.write(b"421 4.4.2 Nothing came for too long.\r\n")
        super()._timeout_cb()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def _answer(self, reply: Reply) -> None:
        await self.push(reply.wire)
        if reply.code == 421:
            self._hang_up()

    async def smtp_HELO(self, hostname: str) -> None:
        await self._greet(hostname, "HELO")

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._greet(hostname, "EHLO")

    async def smtp_LHLO(self, hostname: str) -> None:
        """LMTP, RFC 2033: after the message, an answer for each recipient."""
        await self._greet(hostname, "LHLO")

    async def _greet(self, hostname: str, command: str) -> None:
        """Offer what the next hop offers, so that nothing has to be left out or converted on the way."""
        if not hostname or self.session is None:
            await self.push(f"501 5.5.4 Syntax: {command} hostname")
            return
        await self._transaction.drop()
        self._is_lmtp = command == "LHLO"
        self.session.extended_smtp = command != "HELO"
        if await self._relay.connect() is None:
            await self._answer(make_reply("421 4.4.1 The next hop does not answer. Try again later."))
            return
        self.session.host_name = hostname
        lines = [self.hostname]
        if self.session.extended_smtp:
            lines += [f"SIZE {self._listener.size_limit}", "ENHANCEDSTATUSCODES"]
            lines += [name for name in _NEXT_HOP_EXTENSIONS if name in self._transaction.offered]
        await self._answer(make_reply(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"))

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self.check_helo_needed():
            await self._answer(await self._transaction.open(arg))

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self.check_helo_needed():
            await self._answer(await self._transaction.add_recipient(arg))

    async def smtp_RSET(self, arg: str | None) -> None:
        await self._transaction.drop()
        await self.push("250 2.0.0 OK")
        self.finish()

    async def smtp_BDAT(self, arg: str | None) -> None:
        """Refuse chunks, which are not offered, and hang up: they must not be read as commands."""
        await self.push("502 5.5.1 CHUNKING is not offered here.")
        self._hang_up()

    async def smtp_VRFY(self, arg: str | None) -> None:
        await self.push("252 2.1.5 Send it, and see.")

    async def smtp_DATA(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if not self._transaction.recipients:
            await self.push("503 5.5.1 RCPT comes first.")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End with a dot on a line by itself.")
        incoming = Incoming(self._transaction.limit)
        share = self._listener.budget.open_share(ARRIVING * self._transaction.limit)
        try:
            await self._take_message(incoming, share)
        finally:
            incoming.drop()  # where the client left, this frame lives until the next garbage collection
            self._relay.close_share(share)
        self.finish()

    async def _take_message(self, incoming: Incoming, share: Share) -> None:
        """Read the message, and answer as the next hop answers. A client that leaves meanwhile stops nothing."""
        seconds, note = self._listener.data_seconds, self._reset_timeout
        if not await read_message(incoming, self._reader, share, seconds=seconds, note_chunk=note):
            await self._answer(make_reply("421 4.4.2 The message took too long. Try again later."))
        elif incoming.refusal is not None:
            for _ in self._transaction.recipients if self._is_lmtp else (None,):
                await self.push(incoming.refusal)
            await self._transaction.drop()
            if incoming.has_more_behind:
                self._hang_up()  # what came after it may be read as commands
        else:
            self._reset_timeout(PASSING_SECONDS)
            outcome = await self._relay.pass_on(self._transaction.make_mail(incoming), share)
            self._reset_timeout()
            answers = outcome.replies if self._is_lmtp else (summarise(outcome.replies),)
            for reply in answers:
                await self.push(reply.wire)
            if self._is_lmtp or not answers[0].is_temporary:
                await self._relay.strike_out(outcome)
            self._transaction.end()
