"""Next hop: speaks SMTP to it, one transaction after the other, and keeps every answer as it came."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .envelope import Path, get_extension

CHUNK = 65_536
MOST_REPLY_LINES = 200
# RFC 5321, 4.5.3.2 names minutes for each; a filter beside its mail server need not wait as long, but for the end.
CONNECT_SECONDS = 15.0
COMMAND_SECONDS = 60.0
CHUNK_SECONDS = 180.0
END_SECONDS = 600.0

_REPLY_LINE = re.compile(rb"([2345]\d\d)([ -]?)(.*)", re.DOTALL)


class Encryption(StrEnum):
    OFF = "off"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in SMTP. lines: each as it stands on the wire, code included, without its end."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def is_good(self) -> bool:
        return self.code < 400

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def wire(self) -> bytes:
        return b"\r\n".join(self.lines)


def make_reply(text: str) -> Reply:
    """Return an answer of our own, such as "451 4.4.1 Try again."."""
    return Reply(int(text[:3]), (text.encode("ascii"),))


def summarise(replies: Sequence[Reply]) -> Reply:
    """Return the one answer that SMTP has for all recipients: the worst that can still heal, then the worst."""
    for is_it in (lambda one: one.is_temporary, lambda one: not one.is_good):
        found = next((reply for reply in replies if is_it(reply)), None)
        if found is not None:
            return found
    return replies[-1]


# A promise made to the client is kept or the message is not taken: another server may answer at the next hop now.
_NO_LONGER_OFFERED = make_reply(
    "451 4.5.1 The next hop no longer offers what was asked for. Try again later."
)


class HopLost(Exception):
    """The next hop cannot be reached, broke off or answers no SMTP. was_at_end: it may have taken the message."""

    def __init__(self, why: str, *, was_at_end: bool = False) -> None:
        super().__init__(why)
        self.was_at_end = was_at_end


@dataclass(frozen=True, slots=True)
class Address:
    """The next hop, from the settings."""

    host: str
    port: int
    encryption: Encryption = Encryption.OFF


class NextHop:
    """One connection. Never used for two transactions at once; after HopLost it is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.extensions: dict[str, str] = {}
        self.is_open = True
        self.has_transaction = False

    @classmethod
    async def connect(cls, address: Address, *, name: str) -> NextHop:
        """Return a connection that was greeted. name: how we introduce ourselves. Raises HopLost."""
        context = ssl.create_default_context() if address.encryption != Encryption.OFF else None
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(
                    address.host,
                    address.port,
                    ssl=context if address.encryption == Encryption.TLS else None,
                    limit=CHUNK,
                ),
                CONNECT_SECONDS,
            )
        except (OSError, TimeoutError) as error:
            raise HopLost("the next hop cannot be reached") from error
        hop = cls(reader, writer)
        greeting = await hop._read_reply(COMMAND_SECONDS)
        if greeting.code != 220:
            await hop.close()
            raise HopLost("the next hop does not greet")
        await hop._introduce(name)
        if address.encryption == Encryption.STARTTLS:
            await hop._start_tls(context, address.host, name)
        return hop

    async def _introduce(self, name: str) -> None:
        reply = await self._ask(b"EHLO " + name.encode("ascii"))
        if reply.is_good:
            words = [line[4:].decode("ascii", "replace").upper().split(None, 1) for line in reply.lines[1:]]
            self.extensions = {word[0]: word[1] if len(word) > 1 else "" for word in words if word}
            return
        if not (await self._ask(b"HELO " + name.encode("ascii"))).is_good:
            await self.close()
            raise HopLost("the next hop does not greet")

    async def _start_tls(self, context: ssl.SSLContext | None, host: str, name: str) -> None:
        """The connection is encrypted and the certificate checked, or there is none: mail never goes in clear."""
        if "STARTTLS" not in self.extensions or not (await self._ask(b"STARTTLS")).is_good:
            await self.close()
            raise HopLost("the next hop offers no encryption")
        with contextlib.suppress(TimeoutError):
            # Whatever came in clear behind the answer was put there by somebody on the way.
            if await asyncio.wait_for(self._reader.read(1), 0.01):
                await self.close()
                raise HopLost("the next hop's encryption cannot be trusted")
        try:
            await asyncio.wait_for(
                self._writer.start_tls(context, server_hostname=host),  # type: ignore[arg-type]
                CONNECT_SECONDS,
            )
        except (OSError, TimeoutError) as error:
            await self.close()
            raise HopLost("the next hop's encryption cannot be trusted") from error
        await self._introduce(name)

    async def open_mail(self, sender: Path) -> Reply:
        """Begin a transaction. A size is left out where the next hop asks for none."""
        if self.has_transaction:
            await self.reset()
        parameters = [
            one for one in sender.parameters if self._offers(one) or not one.upper().startswith(b"SIZE=")
        ]
        if not all(map(self._offers, parameters)):
            return _NO_LONGER_OFFERED
        reply = await self._ask(b" ".join([b"MAIL FROM:" + sender.path, *parameters]))
        self.has_transaction = reply.is_good
        return reply

    async def add_recipient(self, recipient: Path) -> Reply:
        if not all(map(self._offers, recipient.parameters)):
            return _NO_LONGER_OFFERED
        return await self._ask(b" ".join([b"RCPT TO:" + recipient.path, *recipient.parameters]))

    async def send(
        self, pieces: Iterable[memoryview | bytes], *, before_end: Callable[[], Awaitable[None]]
    ) -> Reply:
        """Send the message to the recipients of the transaction, which then is over.

        before_end: done when all is sent but the final dot.
        Raises HopLost; with was_at_end set, nobody can know whether the message was taken.
        """
        ready = await self._ask(b"DATA", seconds=2 * COMMAND_SECONDS)
        if ready.code != 354:
            if self.is_open:
                await self.reset()
            return (
                ready
                if not ready.is_good
                else make_reply("451 4.5.0 The next hop did not ask for the message.")
            )
        try:
            for chunk in stuff(pieces):
                self._writer.write(chunk)
                await asyncio.wait_for(self._writer.drain(), CHUNK_SECONDS)
        except (OSError, TimeoutError) as error:
            await self.close()
            raise HopLost("the next hop broke off") from error
        await before_end()
        self.has_transaction = False
        try:
            return await self._ask(b".", seconds=END_SECONDS)
        except HopLost as lost:
            raise HopLost(str(lost), was_at_end=True) from lost

    async def reset(self) -> None:
        self.has_transaction = False
        if not (await self._ask(b"RSET")).is_good:
            await self.close()
            raise HopLost("the next hop cannot begin anew")

    async def close(self) -> None:
        """The connection is gone; said goodbye to where it still listens."""
        if not self.is_open:
            return
        self.is_open = self.has_transaction = False
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write(b"QUIT\r\n")
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), 2)

    def _offers(self, parameter: bytes) -> bool:
        return get_extension(parameter.partition(b"=")[0].upper()) in self.extensions

    async def _ask(self, command: bytes, *, seconds: float = COMMAND_SECONDS) -> Reply:
        if not self.is_open:
            raise HopLost("the next hop broke off")
        try:
            self._writer.write(command + b"\r\n")
            await asyncio.wait_for(self._writer.drain(), seconds)
        except (OSError, TimeoutError) as error:
            await self.close()
            raise HopLost("the next hop broke off") from error
        reply = await self._read_reply(seconds)
        if reply.code == 421:
            await self.close()
        return reply

    async def _read_reply(self, seconds: float) -> Reply:
        try:
            return await asyncio.wait_for(self._read_lines(), seconds)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            await self.close()
            raise HopLost("the next hop broke off") from error

    async def _read_lines(self) -> Reply:
        lines: list[bytes] = []
        while len(lines) < MOST_REPLY_LINES:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            line = line.rstrip(b"\r\n")
            match = _REPLY_LINE.fullmatch(line)
            if match is None:
                raise ValueError(line[:3])
            lines.append(line)
            if match[2] != b"-":
                return Reply(int(match[1]), tuple(lines))
        raise ValueError("a reply without an end")


def stuff(pieces: Iterable[memoryview | bytes]) -> Iterator[bytes]:
    """Yield the message as DATA sends it: a dot before every line that begins with one, and a line end last."""
    before = b"\r\n"
    for piece in pieces:
        for at in range(0, len(piece), CHUNK):
            chunk = bytes(piece[at : at + CHUNK])
            following = chunk[-2:] if len(chunk) > 1 else before[-1:] + chunk
            if before == b"\r\n" and chunk.startswith(b"."):
                yield b"."
            elif before.endswith(b"\r") and chunk.startswith(b"\n."):
                yield b"\n."
                chunk = chunk[1:]
            yield chunk.replace(b"\r\n.", b"\r\n..")
            before = following
    if before != b"\r\n":
        yield b"\r\n"
