"""Telling an outage of what the portal stands on from a fault of its own."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

RETRY_AFTER_SECONDS = 30


def is_outage(error: BaseException | None) -> bool:
    """Return whether the database or the shared cache did not answer; it heals without a change of ours."""
    return isinstance(error, (OperationalError, InterfaceError, *_cache_failures()))


def _cache_failures() -> tuple[type[Exception], ...]:
    """Return how the shared cache says that it is away; nothing where the package is not installed."""
    try:
        from redis.exceptions import ConnectionError as Away
        from redis.exceptions import TimeoutError as Late
    except ImportError:
        return ()
    return Away, Late
