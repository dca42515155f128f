"""Gateway terms: a message with its envelope, what is asked of the portal, and calls that run in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from .envelope import Path
from .replies import Reply
from .slot import Shown

SMALL = 65_536  # bytes of a message that is looked into faster than a thread is asked

T = TypeVar("T")


class Portal(Protocol):
    """What the gateway asks of the portal. Every call may block and may fail."""

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        """Return those of the keys that belong to a sender who sends from one of the addresses."""
        ...

    def decide(self, key: str, recipient: str) -> Shown | None:
        """Return the banner this recipient gets in this sender's slot, or None to leave the slot as it is."""
        ...

    def recall(self, receipts: Collection[str]) -> Mapping[str, bool]:
        """Return those of the receipts that are written down: True for what was taken.

        False for what is at its end, and the next hop may still take it though nobody here hears of it.
        """
        ...

    def mark(self, receipts: Collection[str]) -> None:
        """Write down that these are at their end."""
        ...

    def forget_old(self) -> None:
        """Remove receipts that no mail server asks for any more."""
        ...

    def unmark(self, receipts: Collection[str]) -> None:
        """Strike out those that were at their end, and were not taken."""
        ...

    def remember(self, receipts: Collection[str]) -> None:
        """Write down that these were taken."""
        ...

    def forget(self, receipts: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope, as they were handed in."""

    sender: Path
    recipients: tuple[Path, ...]
    raw: bytes

    def make_receipts(self) -> tuple[str, ...]:
        """Return what tells this message to each recipient from every other, and nobody what or who it was."""
        digest = sha256(self.raw).digest() + self.sender.path + b"\0"
        return tuple(sha256(digest + recipient.path).hexdigest() for recipient in self.recipients)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to answer for each recipient, and what was written down of them."""

    replies: tuple[Reply, ...]
    receipts: tuple[str, ...]


async def work_on(
    mail: Mail,
    pool: ThreadPoolExecutor,
    call: Callable[..., T],
    *arguments: object,
    within: float | None = None,
) -> T:
    """Return what the call returns: at once for a small message, in a thread where it would take long."""
    if len(mail.raw) <= SMALL:
        return call(*arguments)
    return await in_thread(pool, call, *arguments, within=within)


async def in_thread(
    pool: ThreadPoolExecutor,
    call: Callable[..., T],
    *arguments: object,
    within: float | None = None,
) -> T:
    """Return what the call returns. Raises TimeoutError when it takes longer; it then runs on by itself."""
    running = asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
    return await asyncio.wait_for(running, within)
