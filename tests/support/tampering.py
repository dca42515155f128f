"""Going around the guards of the ledger, as somebody with the database in hands could."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

TABLES = ("integrations_ledgerentry", "integrations_ledgercheckpoint")


@contextmanager
def without_guards() -> Iterator[None]:
    """The triggers on the ledger are away, and there again afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (%s, %s)", TABLES
        )
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f"DROP TRIGGER {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _, sql in triggers:
                cursor.execute(sql)


def tamper(statement: str, *values: Any) -> int:
    """Run one statement on the database with the guards away; how many rows it touched."""
    with without_guards(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount
