"""CSV export: writes a table line by line, in an encoding spreadsheets read, with formulas escaped."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date, datetime

# Without it spreadsheets take UTF-8 for the letters of their own country; ours and other readers pass it over.
BYTE_ORDER_MARK = "\ufeff"
_FORMULA_STARTS = frozenset("=+-@\t\r\n")


class _Echo:
    """File-like object that returns what is written, so that lines are streamed."""

    def write(self, text: str) -> str:
        return text


def write_lines(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield the byte order mark, the heading and a line for each row; numbers stay numbers."""
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_cell(value) for value in row])


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, (int, float, date)):
        return value
    return defuse_cell(str(value))


def defuse_cell(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula, full-width signs included."""
    start = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\"'"))[:1]
    return f"'{text}" if start in _FORMULA_STARTS else text


def restore_cell(text: str) -> str:
    """Return a cell's text without the `'` that `defuse_cell` put before it."""
    bare = text.removeprefix("'")
    return bare if defuse_cell(bare) != bare else text
