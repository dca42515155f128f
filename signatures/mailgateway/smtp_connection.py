"""SMTP connection: sends commands to a mail server, and reads its replies."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from .replies import Reply

CHUNK = 65_536
MOST_REPLY_LINES = 200
# RFC 5321, 4.5.3.2 allows minutes for each; a filter beside its mail server need not wait as long.
CONNECT_SECONDS = 15.0
COMMAND_SECONDS = 60.0
CHUNK_SECONDS = 180.0

_REPLY_LINE = re.compile(rb"([2345]\d\d)([ -]?)(.*)", re.DOTALL)
T = TypeVar("T")


class Encryption(StrEnum):
    OFF = "off"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Address:
    """The next hop, from the settings."""

    host: str
    port: int
    encryption: Encryption = Encryption.OFF


class HopLost(Exception):
    """The next hop cannot be reached, broke off or does not speak SMTP. was_at_end: it may have taken the message."""

    def __init__(self, why: str, *, was_at_end: bool = False) -> None:
        super().__init__(why)
        self.was_at_end = was_at_end


class SmtpConnection:
    """One connection. Whatever raises HopLost closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.is_open = True

    @classmethod
    async def connect(cls, address: Address) -> SmtpConnection:
        """Return a connection that was greeted. Raises HopLost."""
        context = ssl.create_default_context() if address.encryption == Encryption.TLS else None
        opening = asyncio.open_connection(address.host, address.port, ssl=context, limit=CHUNK)
        try:
            connection = cls(*await asyncio.wait_for(opening, CONNECT_SECONDS))
        except (OSError, TimeoutError) as error:
            raise HopLost("the next hop cannot be reached") from error
        if (await connection._read_reply(COMMAND_SECONDS)).code != 220:
            raise await connection.lose("the next hop does not greet")
        return connection

    async def start_tls(self, host: str) -> None:
        """Encrypt, and check the certificate. Raises HopLost where that fails: mail is never sent unencrypted."""
        with contextlib.suppress(TimeoutError):
            # Whatever came unencrypted after the answer was inserted on the way.
            if await asyncio.wait_for(self._reader.read(1), 0.01):
                raise await self.lose("the next hop's encryption cannot be trusted")
        context = ssl.create_default_context()
        await self._wait(
            self._writer.start_tls(context, server_hostname=host),
            CONNECT_SECONDS,
            "the next hop's encryption cannot be trusted",
        )

    async def ask(self, command: bytes, *, seconds: float = COMMAND_SECONDS) -> Reply:
        """Send a command; return the reply. Raises HopLost."""
        if not self.is_open:
            raise HopLost("the next hop broke off")
        self._writer.write(command + b"\r\n")
        await self._wait(self._writer.drain(), seconds)
        reply = await self._read_reply(seconds)
        if reply.code == 421:
            await self.close()
        return reply

    async def send(self, chunks: Iterable[bytes]) -> None:
        """Send what is no command. Raises HopLost."""
        for chunk in chunks:
            self._writer.write(chunk)
            await self._wait(self._writer.drain(), CHUNK_SECONDS)

    async def lose(self, why: str) -> HopLost:
        """Close the connection; return the error to raise."""
        await self.close()
        return HopLost(why)

    async def close(self) -> None:
        """Close the connection, with QUIT where the next hop still listens."""
        if not self.is_open:
            return
        self.is_open = False
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write(b"QUIT\r\n")
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), 2)

    async def _wait(self, work: Awaitable[T], seconds: float, why: str = "the next hop broke off") -> T:
        try:
            return await asyncio.wait_for(work, seconds)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise await self.lose(why) from error

    async def _read_reply(self, seconds: float) -> Reply:
        return await self._wait(self._read_lines(), seconds)

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
