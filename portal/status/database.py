"""Database status: how large the database and its tables are, as far as the database says without reading them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

SHOWN = 20


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table with its indexes. rows: the database's own estimate."""

    name: str
    size_bytes: int
    rows: int

    @property
    def row_bytes(self) -> float:
        """The size of one row on average, its part of the indexes included."""
        return self.size_bytes / max(self.rows, 1)


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """tables: the largest first; empty where the database cannot tell without reading every page (SQLite)."""

    vendor: str
    size_bytes: int
    tables: tuple[TableSize, ...] = ()

    @property
    def largest(self) -> tuple[TableSize, ...]:
        return self.tables[:SHOWN]


def measure_database() -> DatabaseSize:
    """Return the size of the database and of its largest tables."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            return DatabaseSize("SQLite", cursor.fetchone()[0])
        cursor.execute(
            "SELECT relname, pg_total_relation_size(oid), GREATEST(reltuples, 0)::bigint, "
            "(SELECT pg_database_size(current_database())) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace "
            "ORDER BY 2 DESC"
        )
        rows = cursor.fetchall()
        tables = tuple(TableSize(*row) for *row, _ in rows)
        return DatabaseSize("PostgreSQL", rows[0][-1] if rows else 0, tables)
