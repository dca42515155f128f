"""Memory budget: limits the bytes of mail in memory, counted as they arrive and as they are freed."""

from __future__ import annotations

import asyncio

FREE_BYTES = 524_288  # of each message: small ones never wait for large ones
WAIT_SECONDS = 100.0  # for room; shorter than a mail server waits between two pieces of a message


class Budget:
    """A number of bytes for all messages, above those that each may use without asking. For one event loop."""

    def __init__(self, total: int, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._total = self._left = total
        self._wait_seconds = wait_seconds
        self._shares: set[Share] = set()
        self._changed = asyncio.Event()

    def open_share(self, most: int) -> Share:
        """Return the share of one message, with nothing in it yet. most: the most it can need at once."""
        share = Share(self, min(self._total, max(0, most - FREE_BYTES)))
        self._shares.add(share)
        return share

    async def resize(self, share: Share, size: int, within: float | None) -> bool:
        wanted = max(0, size - FREE_BYTES)
        share.most = max(share.most, wanted)
        try:
            async with asyncio.timeout(self._wait_seconds if within is None else within):
                while wanted > share.held and not self._has_room(share, wanted - share.held):
                    await self._changed.wait()
        except TimeoutError:
            return False
        self._set(share, wanted)
        return True

    def close(self, share: Share) -> None:
        self._set(share, 0)
        self._shares.discard(share)

    def _set(self, share: Share, held: int) -> None:
        is_less = held < share.held
        self._left += share.held - held
        share.held = held
        if is_less:
            self._changed.set()
            self._changed = asyncio.Event()

    def _has_room(self, share: Share, more: int) -> bool:
        """Return whether after this all messages can still be finished, one after the other.

        Otherwise messages that are partly in memory could wait for each other (the banker's algorithm).
        """
        left = self._left - more
        if left < 0:
            return False
        for other in sorted(
            self._shares, key=lambda one: one.most - one.held - (more if one is share else 0)
        ):
            held = other.held + (more if other is share else 0)
            if other.most - held > left:
                return False
            left += held
        return True


class Share:
    """The bytes of the budget that one message holds."""

    def __init__(self, budget: Budget, most: int) -> None:
        self._budget = budget
        self.most = most
        self.held = 0

    async def hold(self, size: int, *, within: float | None = None) -> bool:
        """Hold this many bytes from now on. Return False where they were not free in time: the share stays as it was.

        within: seconds, if other than the budget's.
        """
        return await self._budget.resize(self, size, within)

    def close(self) -> None:
        """Give everything back: nothing of the message is in memory any more."""
        self._budget.close(self)
