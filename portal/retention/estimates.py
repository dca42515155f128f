"""Estimates: what retention will remove next, at most, table by table, without reading large tables.

All tables are counted in one statement, however many domains there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.apps import apps

from portal.db import count_each

from .registry import RULES, Rule

MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Going:
    """What goes next from one table. rows: at most so many; has_more: counting stopped there.

    table: its name in the database. rows is None where only the removal itself can tell, and size_bytes where the
    database does not tell how large its tables are.
    """

    model: str
    table: str
    kept: str
    by: str
    rows: int | None
    has_more: bool
    size_bytes: int | None


def list_going(row_bytes: Mapping[str, float]) -> list[Going]:
    """Return every table of the registry with what goes next. row_bytes: of one row, by table, where known."""
    told = {rule.model: rule.old() for rule in RULES if rule.old is not None}
    rows = dict(zip(told, count_each(told.values(), most=MOST_COUNTED + 1), strict=True))
    return [_describe(rule, rows.get(rule.model), row_bytes) for rule in RULES]


def _describe(rule: Rule, rows: int | None, row_bytes: Mapping[str, float]) -> Going:
    table = apps.get_model(rule.model)._meta.db_table
    kept = rule.kept.replace("`", "").replace("*", "")
    if rows is None:
        return Going(rule.model, table, kept, rule.by, None, False, None)
    counted = min(rows, MOST_COUNTED)
    size = round(counted * row_bytes[table]) if table in row_bytes else None
    return Going(rule.model, table, kept, rule.by, counted, rows > MOST_COUNTED, size)
