"""Bounds the bytes of mail in memory: large messages wait for each other, small ones pass between them."""

from __future__ import annotations

import asyncio


class Budget:
    """So many bytes at once, for one event loop."""

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._changed = asyncio.Condition()

    async def take(self, size: int) -> int:
        """Wait until there is room and return what was taken; one message of any size always finds some."""
        size = min(size, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._left >= size)
            self._left -= size
        return size

    async def give(self, size: int) -> None:
        async with self._changed:
            self._left += size
            self._changed.notify_all()
