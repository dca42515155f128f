"""Replies: what SMTP servers answer, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in SMTP. lines: as they were received, code included, without line ends."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def is_good(self) -> bool:
        return self.code < 400

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def wire(self) -> bytes:
        return b"\r\n".join(self.lines)


def make_reply(*lines: str) -> Reply:
    """Return an answer of our own, such as "451 4.4.1 Try again."."""
    return Reply(int(lines[0][:3]), tuple(line.encode("ascii") for line in lines))


def summarise(replies: Sequence[Reply]) -> Reply:
    """Return the one answer that SMTP has for all recipients: a temporary failure first, then any other failure."""
    for is_it in (lambda one: one.is_temporary, lambda one: not one.is_good):
        found = next((reply for reply in replies if is_it(reply)), None)
        if found is not None:
            return found
    return replies[-1]
