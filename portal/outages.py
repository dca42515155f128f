"""Outages: tells an outage of database, cache or disk from an error in our code."""

from __future__ import annotations

import errno

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError

RETRY_AFTER_SECONDS = 30
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
# A connection that landed on a standby, or was cut while a transaction of ours was open: not OperationalError.
# Source: https://www.postgresql.org/docs/current/errcodes-appendix.html, class 25.
_PASSING_SQLSTATES = frozenset({"25006", "25P03", "25P04"})


def is_outage(error: BaseException | None) -> bool:
    """Return whether the error is a temporary outage of database, shared cache, disk or machine.

    What was interrupted by one is tried again.
    """
    return (
        is_database_outage(error)
        or isinstance(error, MemoryError)
        or _is_cache_away(error)
        or _is_spent(error)
    )


def is_database_outage(error: BaseException | None) -> bool:
    """Return whether the database did not answer, or could not store a write."""
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    return isinstance(error, DatabaseError) and getattr(error.__cause__, "sqlstate", "") in _PASSING_SQLSTATES


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether a disk has no room left: ours, or the database server's."""
    if isinstance(error, OSError):
        return error.errno in DISK_FULL
    if not isinstance(error, DatabaseError):
        return False
    # SQLSTATE 53100 is PostgreSQL's disk_full; SQLite and its drivers say it in words alone.
    return getattr(error.__cause__, "sqlstate", "") == "53100" or "disk is full" in str(error)


def _is_spent(error: BaseException | None) -> bool:
    """Return whether the machine has no disk space, memory, file handle or thread left."""
    if isinstance(error, OSError):
        return error.errno in DISK_FULL | OUT_OF_RESOURCES
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _is_cache_away(error: BaseException | None) -> bool:
    """Return whether the shared cache is away; False where its package is not installed."""
    try:
        from redis import exceptions as redis
    except ImportError:
        return False
    away = (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError, redis.OutOfMemoryError)
    return isinstance(error, (*away, redis.ClusterDownError, redis.TryAgainError))
