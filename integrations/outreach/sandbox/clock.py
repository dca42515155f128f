"""Clock: the sandbox's own time, the machine's plus an offset that a test may move."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def now(self) -> float:
        """Epoch seconds as this sandbox sees them."""
        return time.time() + self.offset_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock forward: tokens age, throttles end and the rate window moves on."""
        self.offset_seconds += seconds

    def stamp(self) -> str:
        """Now, as Outreach writes instants: 2024-04-08T03:00:23.000Z."""
        return iso(self.now())


def iso(epoch: float) -> str:
    moment = datetime.fromtimestamp(epoch, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
