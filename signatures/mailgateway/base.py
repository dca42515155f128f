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

SMALL = 65_536  # bytes of a message that is parsed faster than a thread is started

T = TypeVar("T")


class Portal(Protocol):
    """What the gateway needs of the portal. Every call may block and may fail."""

    def get_own_keys(self, keys: Collection[str], addresses: Collection[str]) -> set[str]:
        """Return those of the keys that belong to a sender who sends from one of the addresses."""
        ...

    def decide(self, key: str, recipient: str) -> Shown | None:
        """Return the banner this recipient gets in this sender's slot, or None to leave the slot as it is."""
        ...

    def recall(self, receipts: Collection[str]) -> Mapping[str, bool]:
        """Return those of the receipts that are stored: True where the next hop took the copy.

        False where its final dot was sent or was about to be, and the answer is not known.
        """
        ...

    def mark(self, receipts: Collection[str]) -> None:
        """Store that the final dot of these copies is about to be sent."""
        ...

    def forget_old(self) -> None:
        """Remove receipts of messages that no mail server tries again any more."""
        ...

    def unmark(self, receipts: Collection[str]) -> None:
        """Remove marked receipts of copies that were not taken."""
        ...

    def remember(self, receipts: Collection[str]) -> None:
        """Store that the next hop took these copies."""
        ...

    def forget(self, receipts: Collection[str]) -> None: ...


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope, as the client sent them."""

    sender: Path
    recipients: tuple[Path, ...]
    raw: bytes

    def make_receipts(self) -> tuple[str, ...]:
        """Return one digest for each recipient, of the message, its sender and the recipient."""
        digest = sha256(self.raw).digest() + self.sender.path + b"\0"
        return tuple(sha256(digest + recipient.path).hexdigest() for recipient in self.recipients)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The reply for each recipient, and their receipts."""

    replies: tuple[Reply, ...]
    receipts: tuple[str, ...]


async def work_on(
    mail: Mail,
    pool: ThreadPoolExecutor,
    call: Callable[..., T],
    *arguments: object,
    within: float | None = None,
) -> T:
    """Return what the call returns: in this thread for a small message, in a pool thread for a large one."""
    if len(mail.raw) <= SMALL:
        return call(*arguments)
    return await in_thread(pool, call, *arguments, within=within)


async def in_thread(
    pool: ThreadPoolExecutor,
    call: Callable[..., T],
    *arguments: object,
    within: float | None = None,
) -> T:
    """Return what the call returns. Raises TimeoutError after `within` seconds; the call is not stopped by that."""
    running = asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
    return await asyncio.wait_for(running, within)
