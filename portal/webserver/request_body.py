"""Request bodies: read in the event loop, within limits of size and time, before a thread is spent on the request."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterable, Awaitable, Callable
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO

ANYBODYS_BYTES = 500_000  # a SAML answer is the largest body of somebody who is not signed in
LARGEST_BYTES = (
    40_000_000  # of somebody who is: a recipient list, with room for the form to refuse a larger one
)
IN_MEMORY_BYTES = 1_000_000
IDLE_SECONDS = 10.0
WHOLE_SECONDS = 30.0
SLOWEST_BYTES_A_SECOND = (
    50_000  # what is larger than fits into WHOLE_SECONDS has as long as it takes at this pace
)
MOST_AT_ONCE = 500  # one more ends the one that has been coming for longest


class BodyRefused(Exception):
    """A body is too large, too slow, or incomplete; with the status and sentence of the answer."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class BodyReader:
    """Reads at most MOST_AT_ONCE bodies at a time. Belongs to one event loop."""

    def __init__(self) -> None:
        self._deadlines: dict[int, asyncio.Timeout] = {}
        self._numbers = itertools.count()

    async def read(
        self, chunks: AsyncIterable[bytes], *, length: int, is_signed_in: Callable[[], Awaitable[bool]]
    ) -> IO[bytes]:
        """Return the whole body, rewound.

        Raises BodyRefused. length: as declared. is_signed_in: called where it exceeds the limit for anonymous
        requests.
        """
        if length > LARGEST_BYTES or (length > ANYBODYS_BYTES and not await is_signed_in()):
            raise BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        body = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - closed by whoever gets it
        try:
            received = await self._receive(chunks, body, length)
        except TimeoutError:
            body.close()
            raise BodyRefused(
                HTTPStatus.REQUEST_TIMEOUT, "The request took too long. Send it again."
            ) from None
        except BaseException:
            body.close()
            raise
        if received != length:
            body.close()
            raise BodyRefused(HTTPStatus.BAD_REQUEST, "The request ended before it was complete.")
        body.seek(0)
        return body

    async def _receive(self, chunks: AsyncIterable[bytes], body: IO[bytes], length: int) -> int:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + max(WHOLE_SECONDS, length / SLOWEST_BYTES_A_SECOND)
        number, received = next(self._numbers), 0
        try:
            async with asyncio.timeout(IDLE_SECONDS) as deadline:
                self._make_room()
                self._deadlines[number] = deadline
                async for chunk in chunks:
                    received += body.write(chunk)
                    deadline.reschedule(min(ends_at, loop.time() + IDLE_SECONDS))
        finally:
            self._deadlines.pop(number, None)
        return received

    def _make_room(self) -> None:
        """Abort the body that has been arriving for longest."""
        if len(self._deadlines) >= MOST_AT_ONCE:
            oldest = next(iter(self._deadlines))
            self._deadlines.pop(oldest).reschedule(0)
