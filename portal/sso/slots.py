"""Slots: limits concurrent calls to identity providers, so that slow ones do not block other pages."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from portal.deadline import within

from .refusals import Refusal
from .transport import LONGEST_SECONDS

# Of one web process, which has four threads.
MOST_OF_ONE_DOMAIN, MOST_OF_ALL = 2, 3

_lock = threading.Lock()
_taken: Counter[str] = Counter()


@contextmanager
def calling(domain: str) -> Iterator[None]:
    """Let the block call the domain's provider for at most fifteen seconds. Raises Refusal where too many do."""
    with _lock:
        if _taken[domain] >= MOST_OF_ONE_DOMAIN or _taken.total() >= MOST_OF_ALL:
            raise Refusal(
                "Too many people are signing in at once",
                "Your company’s sign-in is slow, or many people are signing in. Try again in a minute.",
                cause="too many calls to the provider at once",
            )
        _taken[domain] += 1
    try:
        with within(LONGEST_SECONDS):
            yield
    finally:
        with _lock:
            _taken[domain] -= 1
            if not _taken[domain]:
                del _taken[domain]
