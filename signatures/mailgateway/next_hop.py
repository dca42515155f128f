"""Next hop: hands mail to the next server by SMTP, and returns its replies unchanged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator

from .envelope import Path, get_extension
from .replies import Reply, make_reply
from .smtp_connection import CHUNK, COMMAND_SECONDS, Address, Encryption, HopLost, SmtpConnection

END_SECONDS = 600.0

# What was offered to the client must hold, or the message is not taken: another server may be the next hop now.
_NO_LONGER_OFFERED = make_reply(
    "451 4.5.1 The next hop no longer offers what was asked for. Try again later."
)
_NOT_ASKED = make_reply("451 4.5.0 The next hop did not ask for the message.")


class NextHop:
    """One connection. Never used for two transactions at once; after HopLost it is closed."""

    def __init__(self, connection: SmtpConnection) -> None:
        self._connection = connection
        self._has_transaction = False
        self.extensions: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    @property
    def has_transaction(self) -> bool:
        return self._has_transaction and self.is_open

    @classmethod
    async def connect(cls, address: Address, *, name: str) -> NextHop:
        """Return a connection that was greeted. name: how we introduce ourselves. Raises HopLost."""
        hop = cls(await SmtpConnection.connect(address))
        await hop._introduce(name)
        if address.encryption == Encryption.STARTTLS:
            if "STARTTLS" not in hop.extensions or not (await hop._connection.ask(b"STARTTLS")).is_good:
                raise await hop._connection.lose("the next hop offers no encryption")
            await hop._connection.start_tls(address.host)
            await hop._introduce(name)
        return hop

    async def _introduce(self, name: str) -> None:
        reply = await self._connection.ask(b"EHLO " + name.encode("ascii"))
        if reply.is_good:
            words = [line[4:].decode("ascii", "replace").upper().split(None, 1) for line in reply.lines[1:]]
            self.extensions = {word[0]: word[1] if len(word) > 1 else "" for word in words if word}
        elif not (await self._connection.ask(b"HELO " + name.encode("ascii"))).is_good:
            raise await self._connection.lose("the next hop does not greet")

    async def open_mail(self, sender: Path) -> Reply:
        """Begin a transaction. A size is left out where the next hop asks for none."""
        if self.has_transaction:
            await self.reset()
        parameters = [
            one for one in sender.parameters if self._offers(one) or not one.upper().startswith(b"SIZE=")
        ]
        if not all(map(self._offers, parameters)):
            return _NO_LONGER_OFFERED
        reply = await self._connection.ask(b" ".join([b"MAIL FROM:" + sender.path, *parameters]))
        self._has_transaction = reply.is_good
        return reply

    async def add_recipient(self, recipient: Path) -> Reply:
        if not all(map(self._offers, recipient.parameters)):
            return _NO_LONGER_OFFERED
        return await self._connection.ask(b" ".join([b"RCPT TO:" + recipient.path, *recipient.parameters]))

    async def send(
        self, pieces: Iterable[memoryview | bytes], *, before_end: Callable[[], Awaitable[None]]
    ) -> Reply:
        """Send the message to the recipients of the transaction, which then is over.

        before_end: awaited before the final dot is sent.
        Raises HopLost; with was_at_end set, it is not known whether the message was taken.
        """
        ready = await self._connection.ask(b"DATA", seconds=2 * COMMAND_SECONDS)
        if ready.code != 354:
            if self.is_open:
                await self.reset()
            return _NOT_ASKED if ready.is_good else ready
        await self._connection.send(stuff(pieces))
        await before_end()
        self._has_transaction = False
        try:
            return await self._connection.ask(b".", seconds=END_SECONDS)
        except HopLost as lost:
            raise HopLost(str(lost), was_at_end=True) from lost

    async def reset(self) -> None:
        """End the transaction without a message. Raises HopLost."""
        self._has_transaction = False
        if not (await self._connection.ask(b"RSET")).is_good:
            raise await self._connection.lose("the next hop cannot begin anew")

    async def close(self) -> None:
        await self._connection.close()

    def _offers(self, parameter: bytes) -> bool:
        return get_extension(parameter.partition(b"=")[0].upper()) in self.extensions


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
