"""Takes mail in by SMTP or LMTP, from the networks that may hand it in, and answers for every recipient.

The transaction with the next hop runs beside the client's, command by command: what it refuses is refused to
the client in its own words, and its answer to the message is the answer the client gets.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeVar

from aiosmtpd.smtp import SMTP

from .budget import Budget
from .passing import Gateway, Mail, Outcome
from .relay import CHUNK, HopLost, NextHop, Path, Reply, get_extension, is_for_mail, make_reply

logger = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_SECONDS = 300.0
PASSING_SECONDS = 3_600.0  # while the next hop has its own limits, the client is not dropped
LONGEST_COMMAND = 4_096
MOST_SESSIONS = 200
SMALLEST_SHARE = 65_536  # of the memory; what a message without a size of its own takes is the largest

# What stands in quotes may hold any bracket; RFC 5321, 4.1.2.
_PATH = re.compile(
    rb'[ \t]*(<(?:"(?:[^"\\\r\n\0]|\\[^\r\n\0])*+"|[^<>"\r\n\0])*+>)((?:[ \t]+[!-~\x80-\xff]+)*+)[ \t]*'
)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=[!-<>-~\x80-\xff]+)?")
_SIZE = re.compile(rb"\d{1,20}")
_TOO_EARLY = "554 5.5.0 Something came behind the message, before its answer."
_NEXT_HOP_EXTENSIONS = ("8BITMIME", "SMTPUTF8", "DSN")
# What some servers take for the end of a message; see RFC 5321, 4.1.1.4, and "SMTP smuggling".
_FALSE_ENDS = (b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r")


@dataclass(slots=True)
class House:
    """What all sessions share: the gateway, who may come in, and how much at once."""

    gateway: Gateway
    trusted: Sequence[IPv4Network | IPv6Network]
    size_limit: int
    name: str
    budget: Budget
    sessions: set[Intake] = field(default_factory=set)
    passing: set[asyncio.Task[object]] = field(default_factory=set)
    is_stopping: bool = False

    @property
    def is_busy(self) -> bool:
        """Whether a message is on its way in or out."""
        return bool(self.passing) or any(session.has_transaction for session in self.sessions)

    def trusts(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.trusted)


@dataclass(slots=True)
class Transaction:
    """One message on its way in. size: as declared, or the largest."""

    sender: Path
    size: int
    recipients: list[Path] = field(default_factory=list)


class _Troubles:
    """What aiosmtpd asks when something of ours went wrong: a temporary failure, and nothing of the mail logged."""

    async def handle_exception(self, error: Exception) -> str:
        if isinstance(error, asyncio.IncompleteReadError):
            return "421 4.4.2 Goodbye."  # the client left without a word
        logger.error("a session failed: %s", type(error).__name__)
        return "451 4.3.0 Something went wrong here. Try again later."


class Intake(SMTP):
    """One client's session."""

    line_length_limit = CHUNK  # of the reader; lines of a message have no limit but the message's

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _Troubles(),
            data_size_limit=house.size_limit,
            enable_SMTPUTF8=True,
            hostname=house.name,
            ident="Countersign mail gateway",
            timeout=IDLE_SECONDS,
            loop=loop,
        )
        self.command_size_limit = LONGEST_COMMAND
        self.command_size_limits = defaultdict(lambda: LONGEST_COMMAND)
        self._house = house
        self._hop: NextHop | None = None
        self._transaction: Transaction | None = None
        self._running: asyncio.Task[tuple[Outcome, NextHop | None]] | None = None
        self._is_lmtp = False

    # ── Coming and going ─────────────────────────────────────────────────────────────────────────

    async def _handle_client(self) -> None:
        self._house.sessions.add(self)
        peer = self._writer.get_extra_info("peername")
        if not peer or not self._house.trusts(str(peer[0])):
            await self.push("554 5.7.1 This gateway takes no mail from here.")
            self._hang_up()
            return
        if len(self._house.sessions) > MOST_SESSIONS:
            await self.push("421 4.3.2 Too many sessions at once. Try again later.")
            self._hang_up()
            return
        await super()._handle_client()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._house.sessions.discard(self)
        if self._running is None or self._running.done():
            self._leave_hop()
        # One that still runs is carried to its end: it may be past the point where it can be taken back.

    def _leave_hop(self) -> None:
        if self._hop is not None:
            self._start(self._hop.close())
            self._hop = None

    @property
    def has_transaction(self) -> bool:
        return self._transaction is not None

    def finish(self) -> None:
        """End the session where the gateway stops and no message is on its way."""
        if self._house.is_stopping and self._transaction is None and self.transport is not None:
            self._writer.write(b"421 4.3.2 The gateway is stopping.\r\n")
            self._hang_up()

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
        offers = [f"SIZE {self._house.size_limit}", "ENHANCEDSTATUSCODES"]
        offers += [name for name in _NEXT_HOP_EXTENSIONS if self._hop and name in self._hop.extensions]
        lines = [self.hostname, *offers]
        text = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        await self._answer(Reply(250, tuple(line.encode("ascii") for line in text)))

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
        sender = _read_path(arg, "FROM:")
        if sender is None:
            await self.push("501 5.5.4 Syntax: MAIL FROM:<address>")
            return
        if refusal := self._refuse_parameters(sender, for_mail=True):
            await self.push(refusal)
            return
        size = _read_size(sender)
        if size is not None and size > self._house.size_limit:
            await self.push(f"552 5.3.4 Messages may have {self._house.size_limit} bytes.")
            return
        reply = await self._open_mail(sender)
        if reply.is_good:
            self._transaction = Transaction(sender, self._house.size_limit if size is None else size)
        await self._answer(reply)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        if self._transaction is None or self._hop is None:
            await self.push("503 5.5.1 MAIL comes first.")
            return
        recipient = _read_path(arg, "TO:")
        if recipient is None:
            await self.push("501 5.5.4 Syntax: RCPT TO:<address>")
            return
        if refusal := self._refuse_parameters(recipient, for_mail=False):
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
        share = await self._house.budget.take(max(SMALLEST_SHARE, transaction.size * 9 // 8))
        try:
            await self.push("354 End with a dot on a line by itself.")
            raw, refusal = await self._read_message()
            if refusal is None:
                await self._pass_on(Mail(transaction.sender, tuple(transaction.recipients), raw))
            else:
                for _ in transaction.recipients if self._is_lmtp else (None,):
                    await self.push(refusal)
                await self._drop_transaction()
                if refusal == _TOO_EARLY:
                    self._hang_up()  # what came cannot be told from commands any more
        finally:
            await asyncio.shield(self._start(self._house.budget.give(share)))
        self.finish()

    # ── The message ──────────────────────────────────────────────────────────────────────────────

    async def _read_message(self) -> tuple[bytes, str | None]:
        """Return the message as it was before dots were doubled for the way, or why it is refused."""
        held, is_over, at = bytearray(b"\r\n"), False, -1
        while at < 0:
            chunk = await self._reader.read(CHUNK)
            if not chunk:
                raise ConnectionResetError
            self._reset_timeout()
            searched = max(0, len(held) - 4)
            held += chunk
            at = held.find(b"\r\n.\r\n", searched)
            if (at if at >= 0 else len(held)) > self._house.size_limit + 2:
                is_over = True
                if at < 0:
                    del held[:-4]
        if len(held) > at + 5:
            return b"", _TOO_EARLY
        if is_over:
            return b"", f"552 5.3.4 Messages may have {self._house.size_limit} bytes."
        raw = bytes(memoryview(held)[: at + 2])
        del held
        if any(end in raw for end in _FALSE_ENDS):
            return b"", "554 5.6.0 A dot stands alone between bare line ends; it could be taken for the end."
        if b"\r\n." in raw:
            raw = raw.replace(b"\r\n.", b"\r\n")
        return raw[2:], None

    async def _pass_on(self, mail: Mail) -> None:
        """The next hop's answers are the client's. A client that leaves meanwhile ends nothing."""
        self._reset_timeout(PASSING_SECONDS)
        gateway = self._house.gateway
        self._running = self._start(gateway.pass_on(mail, self._hop))
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
        self._house.passing.add(task)
        task.add_done_callback(self._house.passing.discard)
        return task

    # ── The next hop ─────────────────────────────────────────────────────────────────────────────

    async def _get_hop(self) -> NextHop | None:
        if self._hop is None or not self._hop.is_open:
            try:
                self._hop = await self._house.gateway.connect()
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

    def _refuse_parameters(self, path: Path, *, for_mail: bool) -> str | None:
        """Return why the parameters are refused: a promise that was not offered is not taken, RFC 5321, 4.1.1.11."""
        names = [one.partition(b"=")[0].upper() for one in path.parameters]
        if not all(map(_PARAMETER.fullmatch, path.parameters)) or len(set(names)) < len(names):
            return "501 5.5.4 These parameters cannot be read."
        offered = {"SIZE", *(self._hop.extensions if self._hop else ())}
        if not all(is_for_mail(name) == for_mail and get_extension(name) in offered for name in names):
            return "555 5.5.4 A parameter that is not offered here."
        size = next((one for one in path.parameters if one.upper().startswith(b"SIZE=")), None)
        if b"SIZE" in names and (size is None or not _SIZE.fullmatch(size[5:])):
            return "501 5.5.4 Syntax: SIZE=bytes"
        return None

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


def summarise(replies: Sequence[Reply]) -> Reply:
    """Return the one answer that SMTP has for all recipients: the worst that can still heal, then the worst."""
    for is_it in (lambda one: one.is_temporary, lambda one: not one.is_good):
        found = next((reply for reply in replies if is_it(reply)), None)
        if found is not None:
            return found
    return replies[-1]


def _read_path(arg: str | None, keyword: str) -> Path | None:
    """Return the address and its parameters as they stand, or None where they cannot be told apart."""
    if arg is None or arg[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.fullmatch(arg[len(keyword) :].encode("utf-8", "surrogateescape"))
    return Path(match[1], tuple(match[2].split())) if match else None


def _read_size(sender: Path) -> int | None:
    return next((int(one[5:]) for one in sender.parameters if one.upper().startswith(b"SIZE=")), None)
