"""Receipts: record which copies the next hop took, so that a retry sends only what is missing.

Where the database is away, mail is passed on all the same.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from .base import Outcome, Portal, in_thread

logger = logging.getLogger(__name__)

ASKING_SECONDS = 5.0  # the longest that mail waits for a database that hangs
AWAY_SECONDS = 30.0  # in which the database is then not asked again
MOST_TOLD = 50_000


class Receipts:
    """The receipts in the database, read and written by one thread."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        # The client was answered, but the receipt could not be removed yet, as the database was away.
        self._told: set[str] = set()
        self._away_until = -math.inf
        # One thread is faster than two that wait for each other's locks.
        self._thread = ThreadPoolExecutor(1, "receipts")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def recall(self, receipts: Collection[str]) -> Mapping[str, bool]:
        known: dict[str, bool] = {}
        await self._ask(lambda asked: known.update(self._portal.recall(asked)), receipts, "read")
        return known

    async def mark(self, receipts: Collection[str]) -> None:
        """Store that the final dot of these copies is about to be sent."""
        await self._ask(self._portal.mark, receipts, "written down")

    async def settle(self, receipts: Collection[str], *, taken: Collection[str]) -> None:
        """Store which of these were taken, and remove the others."""
        await self._ask(self._portal.remember, taken, "written down")
        await self._ask(self._portal.unmark, [one for one in receipts if one not in taken], "struck out")

    async def strike_out(self, outcome: Outcome) -> None:
        """Remove the receipts of recipients whose client was answered and will not retry."""
        self._told.update(
            receipt
            for receipt, reply in zip(outcome.receipts, outcome.replies, strict=True)
            if not reply.is_temporary
        )
        told = list(self._told)
        if await self._ask(self._portal.forget, told, "struck out"):
            self._told.difference_update(told)
        elif len(self._told) > MOST_TOLD:
            self._told.clear()

    async def _ask(
        self, call: Callable[[Collection[str]], None], receipts: Collection[str], what: str
    ) -> bool:
        """Return whether the database answered. A failure is logged."""
        if not receipts:
            return True
        clock = asyncio.get_running_loop().time
        if clock() < self._away_until:
            return False
        try:
            await in_thread(self._thread, call, receipts, within=ASKING_SECONDS)
        except Exception as error:
            logger.warning("receipts could not be %s: %s", what, type(error).__name__)
            if isinstance(error, TimeoutError):
                self._away_until = clock() + AWAY_SECONDS
            return False
        return True
