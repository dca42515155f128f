"""Banner planner: decides within a deadline which recipients get which banners, and writes their copies."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .base import Mail, Portal, in_thread, work_on
from .memory_budget import Share
from .message import Found, LeftAlone, examine
from .slot import Marks, Shown

logger = logging.getLogger(__name__)

MOST_COPIES = 50  # a message to more recipients than this goes on unchanged
DECIDING_THREADS = 8
READING_THREADS = 2  # a large message's text is unpacked in each
MOST_DECIDED = 5_000
DECIDED_SECONDS = 600.0  # as long as a decision is good for


@dataclass(frozen=True, slots=True)
class BannerPlan:
    """Which recipients get which banners; all others get the message unchanged. found: None where there is no slot."""

    found: Found | None = None
    shown: Mapping[int, Mapping[str, Shown]] = field(default_factory=dict)


class BannerPlanner:
    """Finds slots and asks the portal. Where that fails or takes too long, a message stays unchanged."""

    def __init__(self, portal: Portal, marks: Marks, *, deadline_seconds: float) -> None:
        self._portal, self._marks = portal, marks
        self._deadline_seconds = deadline_seconds
        # Receipt -> when and what was decided for a message that was then not delivered: a retry soon after
        # shows the same, and counts once.
        self._decided: dict[str, tuple[float, Mapping[str, Shown]]] = {}
        self._deciders = ThreadPoolExecutor(DECIDING_THREADS, "deciding")
        self._readers = ThreadPoolExecutor(READING_THREADS, "reading")

    def close(self) -> None:
        for pool in (self._deciders, self._readers):
            pool.shutdown(wait=False, cancel_futures=True)

    async def make_receipts(self, mail: Mail) -> tuple[str, ...]:
        """Return the message's receipts, made in a thread where it is large."""
        return await work_on(mail, self._readers, mail.make_receipts)

    def forget(self, receipts: Collection[str]) -> None:
        """Drop what was decided for these: they were delivered."""
        for receipt in receipts:
            self._decided.pop(receipt, None)

    async def plan(
        self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str], share: Share
    ) -> BannerPlan:
        """Return which recipients get which banners: none of them where anything fails or takes too long."""
        if not waiting:
            return BannerPlan()
        started = asyncio.get_running_loop().time()
        try:
            return await self._choose(mail, waiting, receipts, share, started)
        except LeftAlone as reason:
            logger.debug("a message goes on unchanged: %s", reason)
        except Exception as error:
            logger.warning("a message goes on unchanged, as looking into it failed: %s", type(error).__name__)
        return BannerPlan()

    async def _choose(
        self, mail: Mail, waiting: tuple[int, ...], receipts: Sequence[str], share: Share, started: float
    ) -> BannerPlan:
        """Return the banners of each recipient who gets one of their own, as far as decided in time."""

        def left() -> float:
            return max(0.01, started + self._deadline_seconds - asyncio.get_running_loop().time())

        found = await work_on(mail, self._readers, _look_into, mail.raw, self._marks, within=left())
        if isinstance(found, str):
            raise LeftAlone(found)
        if len(waiting) > MOST_COPIES:
            raise LeftAlone("it has too many recipients")
        if not await share.hold(len(mail.raw) + found.size, within=left()):
            raise LeftAlone("there is no room to change it")
        addresses = {mail.sender.address.lower(), *found.authors}
        keys = await in_thread(
            self._deciders, self._portal.get_own_keys, found.keys, addresses, within=left()
        )
        if not keys:
            raise LeftAlone("its slots are other senders'")
        tasks = {
            at: asyncio.ensure_future(
                in_thread(self._deciders, self._decide, keys, mail.recipients[at].address, receipts[at])
            )
            for at in waiting
        }
        await asyncio.wait(tasks.values(), timeout=left())
        shown = {}
        for at, task in tasks.items():
            if not task.done():
                task.cancel()
                logger.warning("a copy goes on unchanged, as deciding took too long")
            elif error := task.exception():
                logger.warning("a copy goes on unchanged, as deciding failed: %s", type(error).__name__)
            elif chosen := task.result():
                shown[at] = chosen
        return BannerPlan(found, shown)

    def _decide(self, keys: Collection[str], recipient: str, receipt: str) -> Mapping[str, Shown]:
        decided_at, shown = self._decided.get(receipt, (-math.inf, {}))
        if time.monotonic() - decided_at > DECIDED_SECONDS:
            decided = {key: self._portal.decide(key, recipient) for key in sorted(keys)}
            shown = {key: banner for key, banner in decided.items() if banner is not None}
            if len(self._decided) >= MOST_DECIDED:
                self._decided.clear()
            self._decided[receipt] = time.monotonic(), shown
        return shown

    async def write(self, mail: Mail, plan: BannerPlan, at: int) -> list[memoryview | bytes] | None:
        """Return this recipient's copy; None where it is the unchanged message, or writing it fails."""
        if plan.found is None or at not in plan.shown:
            return None
        try:
            return await work_on(
                mail, self._readers, plan.found.write, plan.shown[at], within=self._deadline_seconds
            )
        except Exception as error:
            logger.warning("a copy goes on unchanged, as writing it failed: %s", type(error).__name__)
            return None


def _look_into(raw: bytes, marks: Marks) -> Found | str:
    """Return the message with its slots, or why it is left alone.

    The reason is returned and not raised: an error that a thread raises and the loop catches is in a reference cycle
    with its frames, and the message would stay in memory until the next garbage collection.
    """
    try:
        return examine(raw, marks)
    except LeftAlone as reason:
        return str(reason)
