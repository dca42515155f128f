"""SMTP server: takes mail by SMTP or LMTP from trusted networks, and answers for every recipient.

The transaction with the next hop runs beside the client's, command by command: what it refuses is refused to
the client in its own words, and its answer to the message is the answer the client gets.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeVar

from aiosmtpd.smtp import SMTP

from .base import Mail, Outcome
from .envelope import Path, read_path, read_size, refuse_parameters
from .gateway import Gateway
from .incoming import Incoming
from .memory_budget import Budget, Share
from .next_hop import CHUNK, HopLost, NextHop, Reply, make_reply, summarise

logger = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_SECONDS = 300.0
PASSING_SECONDS = 3_600.0  # while the next hop has its own limits, the client is not dropped
LONGEST_COMMAND = 4_096
MOST_SESSIONS = 200
DATA_SECONDS = 600.0  # for a whole message, however it drips
# What a message may have above the size it was declared with: a server on its way may have written it anew.
MORE_THAN_DECLARED = 65_536
ARRIVING = 2  # times its size is what a message may take while it grows

_TOO_EARLY = "554 5.5.0 Something came behind the message, before its answer."
_NEXT_HOP_EXTENSIONS = ("8BITMIME", "SMTPUTF8", "DSN")


@dataclass(slots=True)
class Listener:
    """What all sessions share: the gateway, which networks may connect, and how much is taken at once."""

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

    def trusts(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


@dataclass(slots=True)
class Transaction:
    """One message on its way in. limit: how many bytes it may have, by its declared size and the setting."""

    sender: Path
    limit: int
    recipients: list[Path] = field(default_factory=list)


class _ErrorHandler:
    """What aiosmtpd asks when something of ours went wrong: a temporary failure, and nothing of the mail logged."""

    async def handle_exception(self, error: Exception) -> str:
        if isinstance(error, asyncio.IncompleteReadError):
            return "421 4.4.2 Goodbye."  # the client left without a word
        logger.error("a session failed: %s", type(error).__name__)
        return "451 4.3.0 Something went wrong here. Try again later."


class Session(SMTP):
    """One client's session."""

    line_length_limit = CHUNK  # of the reader; lines of a message have no limit but the message's

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
        self._hop: NextHop | None = None
        self._transaction: Transaction | None = None
        self._running: asyncio.Task[tuple[Outcome, NextHop | None]] | None = None
        self._is_lmtp = False

    # ── Coming and going ─────────────────────────────────────────────────────────────────────────

    async def _handle_client(self) -> None:
        self._listener.sessions.add(self)
        peer = self._writer.get_extra_info("peername")
        if not peer or not self._listener.trusts(str(peer[0])):
            await self.push("554 5.7.1 This gateway takes no mail from here.")
            self._hang_up()
            return
        if len(self._listener.sessions) > MOST_SESSIONS:
            await self.push("421 4.3.2 Too many sessions at once. Try again later.")
            self._hang_up()
            return
        await super()._handle_client()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._listener.sessions.discard(self)
        if self._running is None or self._running.done():
            self._leave_hop()
        # One that still runs goes on to its end: it may be past the point where it can be taken back.

    def _leave_hop(self) -> None:
        if self._hop is not None:
            self._start(self._hop.close())
            self._hop = None

    @property
    def is_receiving(self) -> bool:
        """Whether a message is on its way in, and not handed on yet."""
        return self._transaction is not None and (self._running is None or self._running.done())

    def finish(self, *, at_once: bool = False) -> None:
        """End the session where the gateway stops and no message is on its way. at_once: or still on its way in."""
        is_free = self._transaction is None or (at_once and self.is_receiving)
        if self._listener.is_stopping and is_free and self.transport is not None:
            self._writer.write(b"421 4.3.2 The gateway is stopping.\r\n")
            self._hang_up()

    def _timeout_cb(self) -> None:
        """Whoever is silent for too long is told why nobody listens any more."""
        self._writer.write(b"421 4.4.2 Nothing came for too long.\r\n")
        super()._timeout_cb()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    # ── Commands ─────────────────────────────────────────────────────────────────────────────────

    async def smtp_HELO(self, hostname: str) -> None:
        if await self._is_greeted(hostname, "HELO"):
            await self._answer(make_reply(f"250 {self.hostname}"))

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._greet_extended(hostname, "EHLO")

    async def smtp_LHLO(self, hostname: str) -> None:
        """LMTP, RFC 2033: after the message, an answer for each recipient."""
        await self._greet_extended(hostname, "LHLO")

    async def _greet_extended(self, hostname: str, command: str) -> None:
        """Offer what the next hop offers, so that nothing has to be left out or converted on the way."""
        if not await self._is_greeted(hostname, command):
            return
        offers = [f"SIZE {self._listener.size_limit}", "ENHANCEDSTATUSCODES"]
        offers += [name for name in _NEXT_HOP_EXTENSIONS if name in self._offered]
        lines = [self.hostname, *offers]
        text = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        await self._answer(Reply(250, tuple(line.encode("ascii") for line in text)))

    @property
    def _offered(self) -> set[str]:
        """The extensions whose parameters a client may use."""
        return {"SIZE", *(self._hop.extensions if self._hop else ())}

    async def _is_greeted(self, hostname: str, command: str) -> bool:
        if not hostname or self.session is None:
            await self.push(f"501 5.5.4 Syntax: {command} hostname")
            return False
        await self._drop_transaction()
        self._is_lmtp = command == "LHLO"
        self.session.extended_smtp = command != "HELO"
        if await self._get_hop() is None:
            await self.push("421 4.4.1 The next hop does not answer. Try again later.")
            self._hang_up()
            return False
        self.session.host_name = hostname
        return True

    async def smtp_MAIL(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is not None:
            await self.push("503 5.5.1 One message at a time.")
            return
        sender = read_path(arg, "FROM:")
        if sender is None:
            await self.push("501 5.5.4 Syntax: MAIL FROM:<address>")
            return
        if refusal := refuse_parameters(sender, self._offered, for_mail=True):
            await self.push(refusal)
            return
        size = read_size(sender)
        if size is not None and size > self._listener.size_limit:
            await self.push(f"552 5.3.4 Messages may have {self._listener.size_limit} bytes.")
            return
        reply = await self._open_mail(sender)
        if reply.is_good:
            largest = self._listener.size_limit
            limit = largest if size is None else min(largest, size * 9 // 8 + MORE_THAN_DECLARED)
            self._transaction = Transaction(sender, limit)
        await self._answer(reply)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is None or self._hop is None:
            await self.push("503 5.5.1 MAIL comes first.")
            return
        recipient = read_path(arg, "TO:")
        if recipient is None:
            await self.push("501 5.5.4 Syntax: RCPT TO:<address>")
            return
        if refusal := refuse_parameters(recipient, self._offered, for_mail=False):
            await self.push(refusal)
            return
        reply = await self._ask_hop(self._hop.add_recipient(recipient))
        if reply.is_good:
            self._transaction.recipients.append(recipient)
        await self._answer(reply)

    async def smtp_RSET(self, arg: str | None) -> None:
        await self._drop_transaction()
        await self.push("250 2.0.0 OK")
        self.finish()

    async def smtp_BDAT(self, arg: str | None) -> None:
        """Chunks are not offered; those of a client that sends them all the same must not be read as commands."""
        await self.push("502 5.5.1 CHUNKING is not offered here.")
        self._hang_up()

    async def smtp_VRFY(self, arg: str | None) -> None:
        await self.push("252 2.1.5 Send it, and see.")

    async def smtp_DATA(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is None or not self._transaction.recipients:
            await self.push("503 5.5.1 RCPT comes first.")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        transaction = self._transaction
        await self.push("354 End with a dot on a line by itself.")
        share = self._listener.budget.open_share(ARRIVING * transaction.limit)
        incoming = Incoming(transaction.limit)
        try:
            if not await self._read_message(incoming, share):
                await self.push("421 4.4.2 The message took too long. Try again later.")
                self._hang_up()
            elif incoming.refusal is not None:
                await self._refuse_message(transaction, incoming)
            else:
                await self._pass_on(transaction, incoming, share)
        finally:
            incoming.drop()  # where the client left, this frame lives on until the garbage collector comes by
            if self._running is None or self._running.done():
                share.close()
            else:
                self._running.add_done_callback(lambda _: share.close())
        self.finish()

    # ── The message ──────────────────────────────────────────────────────────────────────────────

    async def _read_message(self, incoming: Incoming, share: Share) -> bool:
        """Return whether the message came to its end in time."""
        try:
            async with asyncio.timeout(self._listener.data_seconds):
                while not incoming.is_complete:
                    await self._read_chunk(incoming, share)
        except TimeoutError:
            return False
        if incoming.has_more_behind:
            incoming.refuse(_TOO_EARLY)
        return True

    async def _read_chunk(self, incoming: Incoming, share: Share) -> None:
        """Take of the memory what has really come, whatever was declared."""
        chunk = await self._reader.read(CHUNK)
        if not chunk:
            raise ConnectionResetError
        self._reset_timeout()
        incoming.feed(chunk)
        if not await share.hold(ARRIVING * incoming.size):
            incoming.refuse("451 4.3.1 Too much mail is on its way. Try again later.")
            await share.hold(0)

    async def _refuse_message(self, transaction: Transaction, incoming: Incoming) -> None:
        for _ in transaction.recipients if self._is_lmtp else (None,):
            await self.push(incoming.refusal or "")
        await self._drop_transaction()
        if incoming.has_more_behind:
            self._hang_up()  # what came cannot be told from commands any more

    async def _pass_on(self, transaction: Transaction, incoming: Incoming, share: Share) -> None:
        """The next hop's answers are the client's. A client that leaves meanwhile ends nothing."""
        self._reset_timeout(PASSING_SECONDS)
        gateway = self._listener.gateway
        mail = Mail(transaction.sender, tuple(transaction.recipients), incoming.take())
        await share.hold(len(mail.raw))
        self._running = self._start(gateway.pass_on(mail, self._hop, share))
        del mail
        self._running.add_done_callback(self._settle)
        outcome, self._hop = await asyncio.shield(self._running)
        self._reset_timeout()
        if self._is_lmtp:
            for reply in outcome.replies:
                await self.push(reply.wire)
            is_told = True
        else:
            reply = summarise(outcome.replies)
            await self.push(reply.wire)
            is_told = not reply.is_temporary
        if is_told:
            await asyncio.shield(self._start(gateway.strike_out(outcome)))
        self._transaction = None

    def _settle(self, task: asyncio.Task[tuple[Outcome, NextHop | None]]) -> None:
        if self.transport is None and not task.cancelled() and task.exception() is None:
            self._hop = task.result()[1]
            self._leave_hop()

    def _start(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        """Return work that goes on when the client leaves, and that stopping waits for."""
        task = self.loop.create_task(work)
        self._listener.passing.add(task)
        task.add_done_callback(self._listener.passing.discard)
        return task

    # ── The next hop ─────────────────────────────────────────────────────────────────────────────

    async def _get_hop(self) -> NextHop | None:
        if self._hop is None or not self._hop.is_open:
            try:
                self._hop = await self._listener.gateway.connect()
            except HopLost as lost:
                logger.warning("no mail is taken: %s", lost)
                self._hop = None
        return self._hop

    async def _open_mail(self, sender: Path) -> Reply:
        """Begin with the next hop as well; over a new connection where it closed the one that stood idle."""
        for _ in range(2):
            hop = await self._get_hop()
            if hop is None:
                break
            try:
                return await hop.open_mail(sender)
            except HopLost as lost:
                logger.info("a connection is opened again: %s", lost)
        return make_reply("451 4.4.1 The next hop does not answer. Try again later.")

    async def _ask_hop(self, asked: Awaitable[Reply]) -> Reply:
        try:
            return await asked
        except HopLost as lost:
            logger.warning("a message is not taken: %s", lost)
            return make_reply("451 4.4.2 The next hop broke off. Try again later.")

    async def _drop_transaction(self) -> None:
        self._transaction = None
        if self._hop is not None and self._hop.is_open and self._hop.has_transaction:
            try:
                await self._hop.reset()
            except HopLost:
                self._hop = None

    async def _answer(self, reply: Reply) -> None:
        await self.push(reply.wire)
        if reply.code == 421:
            self._hang_up()
