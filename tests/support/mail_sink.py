"""A mail server that keeps what it takes, on a real socket; and a client that sends exactly the bytes it is given."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass(frozen=True)
class Taken:
    """A message the sink answered 250 for."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass
class Sink:
    """What it took, what it was told, and what it answers instead of taking everything.

    on_*: return an answer such as "550 5.1.1 No", or None to go on; "closed" to close without one.
    breaks: so many transactions are cut before the message, by closing the connection.
    """

    taken: list[Taken] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    sessions: list[SMTP] = field(default_factory=list)
    breaks: int = 0
    on_mail: Callable[[str], str | None] = lambda sender: None
    on_rcpt: Callable[[str], str | None] = lambda recipient: None
    on_data: Callable[[Taken], str | None] = lambda taken: None

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.commands.append(f"MAIL {address} {' '.join(options)}".rstrip())
        answer = await asyncio.to_thread(self.on_mail, address)
        if answer is None:
            envelope.mail_from = address
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.commands.append(f"RCPT {address}")
        answer = await asyncio.to_thread(self.on_rcpt, address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        taken = Taken(envelope.mail_from, tuple(envelope.rcpt_tos), bytes(envelope.original_content))
        answer = await asyncio.to_thread(self.on_data, taken)
        if answer is None:
            self.encrypted.append(session.ssl is not None)
            self.taken.append(taken)
        return answer or f"250 2.0.0 Kept as {len(self.taken)}"

    async def hang_up(self) -> None:
        """Every connection is closed, as a server closes those that stand idle."""
        for session in self.sessions:
            if session.transport is not None:
                session.transport.close()

    def get_inbox(self, recipient: str) -> list[bytes]:
        return [one.raw for one in self.taken if recipient in one.recipients]


class _Server(SMTP):
    """Takes the message in one piece: lines of any length, bare line ends and NUL as they come."""

    async def smtp_DATA(self, arg: str | None) -> None:
        assert self.envelope is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT first")
            return
        if self.event_handler.breaks:
            self.event_handler.breaks -= 1
            self.transport.abort()
            return
        await self.push("354 Go on")
        held = bytearray(b"\r\n")
        while not held.endswith(b"\r\n.\r\n"):  # the client sends nothing behind it
            chunk = await self._reader.read(2**20)
            if not chunk:
                raise ConnectionResetError
            held += chunk
        self.envelope.original_content = bytes(held[:-3]).replace(b"\r\n..", b"\r\n.")[2:]
        status = await self.event_handler.handle_DATA(self, self.session, self.envelope)
        self._set_post_data_state()
        if status == "closed":
            self.transport.abort()
            return
        await self.push(status)


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Any, seconds: float = 30) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def close(self) -> None:
        self.run(self._cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()

    async def _cancel_all(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def listen(sink: Sink, *, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    loop = asyncio.get_running_loop()

    def serve() -> _Server:
        session = _Server(
            sink,
            enable_SMTPUTF8=True,
            data_size_limit=2**27,
            hostname="sink.example",
            tls_context=tls,
            require_starttls=tls is not None,
            loop=loop,
        )
        sink.sessions.append(session)
        return session

    return await loop.create_server(serve, "127.0.0.1", 0)


def get_port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


class Client:
    """One session; every method returns the whole answer as text."""

    def __init__(self, port: int, greeting: str = "EHLO client.example", timeout: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self._socket.makefile("rb")
        self.greeting = self.read()
        self.offers = self.say(greeting) if greeting else ""

    def read(self) -> str:
        lines = []
        while True:
            line = self._file.readline().decode()
            if not line:
                return "\n".join([*lines, "closed"])
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return "\n".join(lines)

    def send(self, wire: bytes) -> None:
        self._socket.sendall(wire)

    def say(self, command: str) -> str:
        self.send(command.encode() + b"\r\n")
        return self.read()

    def envelope(self, sender: str, recipients: Sequence[str], options: str = "") -> list[str]:
        return [
            self.say(f"MAIL FROM:<{sender}>{options}"),
            *(self.say(f"RCPT TO:<{recipient}>") for recipient in recipients),
        ]

    def data(self, raw: bytes) -> str:
        """Dots are doubled after CRLF alone, as RFC 5321 says."""
        ready = self.say("DATA")
        if not ready.startswith("354"):
            return ready
        stuffed = (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]
        self.send(stuffed + (b"" if not raw or raw.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return self.read()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def hand_in(
    port: int, raw: bytes, *recipients: str, sender: str = "maria@acme.example", options: str = ""
) -> str:
    """The answer to a message whose envelope was accepted."""
    with Client(port) as client:
        answers = client.envelope(sender, recipients, options)
        assert all(answer.startswith("250") for answer in answers), answers
        return client.data(raw)
