"""Log filters: log an outage once a minute with its cause, instead of twice a second without it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from portal.outages import is_outage

SAID_EVERY_SECONDS = 60


class OutageFilter(logging.Filter):
    """Rewrites an exception that a library logs as its whole message, and lets one a minute through.

    The worker's library writes its state to the cache twice a second, and logs a bare "the connection is
    closed" for each time that the cache's database is away. Anything else passes as it is.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.msg
        if not isinstance(error, Exception) or not is_outage(error):
            return True
        name = type(error).__name__
        last = self._said_at.get(name)
        if last is not None and self._now() - last < SAID_EVERY_SECONDS:
            return False
        self._said_at[name] = self._now()
        reason = next(iter(str(error).strip().splitlines()), "no reason given")
        record.msg = (
            "The worker cannot reach its database or cache and keeps trying "
            "(%s: %s). Logged again in a minute if it lasts."
        )
        record.args = (name, reason)
        return True
