"""A transaction that outlives a power cut: for what must be on disk before something irreversible leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def durable_atomic() -> Iterator[None]:
    """What is written inside is on disk when the block ends, on SQLite too.

    SQLite in WAL mode with synchronous=NORMAL keeps its commits through a killed process, yet may lose
    the latest ones in a power cut; FULL waits for the disk. PostgreSQL waits by default.
    Source: https://www.sqlite.org/pragma.html#pragma_synchronous
    """
    is_sqlite = connection.vendor == "sqlite" and not connection.in_atomic_block
    if is_sqlite:
        _set_synchronous("FULL")
    try:
        with transaction.atomic():
            yield
    finally:
        if is_sqlite:
            _set_synchronous("NORMAL")


def _set_synchronous(level: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA synchronous={level}")
