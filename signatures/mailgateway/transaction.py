"""Mail transaction: checks MAIL and RCPT of one session and asks the next hop, and reads the message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .base import Mail
from .envelope import Path, read_path, read_size, refuse_parameters
from .incoming import Incoming
from .memory_budget import Share
from .relay import Relay
from .replies import Reply, make_reply
from .smtp_connection import CHUNK

ARRIVING = 2  # times its size in memory, while a message grows
_TOO_EARLY = "554 5.5.0 Something came behind the message, before its answer."

# What a message may have above the size it was declared with: a server on its way may have changed it.
MORE_THAN_DECLARED = 65_536


class Transaction:
    """The mail transaction of a session, RFC 5321, 3.3: open from MAIL to the answer to the message, or to RSET."""

    def __init__(self, relay: Relay, size_limit: int) -> None:
        self._relay = relay
        self._size_limit = size_limit
        self._sender = Path(b"<>")
        self.is_open = False
        self.recipients: list[Path] = []
        self.limit = size_limit  # how many bytes the message may have, by its declared size and the setting

    @property
    def offered(self) -> set[str]:
        """The extensions whose parameters a client may use."""
        return {"SIZE", *self._relay.extensions}

    async def open(self, arg: str | None) -> Reply:
        """Return the answer to MAIL."""
        if self.is_open:
            return make_reply("503 5.5.1 One message at a time.")
        sender = read_path(arg, "FROM:")
        if sender is None:
            return make_reply("501 5.5.4 Syntax: MAIL FROM:<address>")
        if refusal := refuse_parameters(sender, self.offered, for_mail=True):
            return make_reply(refusal)
        size = read_size(sender)
        if size is not None and size > self._size_limit:
            return make_reply(f"552 5.3.4 Messages may have {self._size_limit} bytes.")
        reply = await self._relay.open_mail(sender)
        if reply.is_good:
            self._sender, self.recipients, self.is_open = sender, [], True
            self.limit = self._size_limit
            if size is not None:
                self.limit = min(self._size_limit, size * 9 // 8 + MORE_THAN_DECLARED)
        return reply

    async def add_recipient(self, arg: str | None) -> Reply:
        """Return the answer to RCPT."""
        if not self.is_open:
            return make_reply("503 5.5.1 MAIL comes first.")
        recipient = read_path(arg, "TO:")
        if recipient is None:
            return make_reply("501 5.5.4 Syntax: RCPT TO:<address>")
        if refusal := refuse_parameters(recipient, self.offered, for_mail=False):
            return make_reply(refusal)
        reply = await self._relay.add_recipient(recipient)
        if reply.is_good:
            self.recipients.append(recipient)
        return reply

    def make_mail(self, incoming: Incoming) -> Mail:
        """Return the message with its envelope, and keep nothing of it."""
        return Mail(self._sender, tuple(self.recipients), incoming.take())

    def end(self) -> None:
        self.recipients, self.is_open = [], False

    async def drop(self) -> None:
        """End the transaction without a message, with the next hop as well."""
        self.end()
        await self._relay.reset()


async def read_message(
    incoming: Incoming,
    reader: asyncio.StreamReader,
    share: Share,
    *,
    seconds: float,
    note_chunk: Callable[[], None],
) -> bool:
    """Read the message to its end; return whether that came in time.

    share: holds what has arrived, whatever size was declared. note_chunk: called for each chunk.
    Raises ConnectionResetError where the client leaves.
    """
    try:
        async with asyncio.timeout(seconds):
            while not incoming.is_complete:
                chunk = await reader.read(CHUNK)
                if not chunk:
                    raise ConnectionResetError
                note_chunk()
                incoming.feed(chunk)
                if not await share.hold(ARRIVING * incoming.size):
                    incoming.refuse("451 4.3.1 Too much mail is on its way. Try again later.")
                    await share.hold(0)
    except TimeoutError:
        return False
    if incoming.has_more_behind:
        incoming.refuse(_TOO_EARLY)
    return True
