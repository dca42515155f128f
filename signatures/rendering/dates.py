"""Dates: how a date that is stored as YYYY-MM-DD is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
DATE_FORMATS: dict[str, Callable[[date], str]] = {
    "day month year": lambda day: f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
    "month day, year": lambda day: f"{_MONTHS[day.month - 1]} {day.day}, {day.year}",
    "dd/mm/yyyy": lambda day: f"{day:%d/%m/}{day.year:04}",
    "mm/dd/yyyy": lambda day: f"{day:%m/%d/}{day.year:04}",
    "dd.mm.yyyy": lambda day: f"{day:%d.%m.}{day.year:04}",
    "yyyy-mm-dd": lambda day: day.isoformat(),
}


EXAMPLE = "2026-11-03"  # a day that shows which number is the month


def list_date_formats() -> list[tuple[str, str]]:
    """Return the name of each format with an example."""
    return [(name, format_date(EXAMPLE, name)) for name in DATE_FORMATS]


def format_date(stored: str, name: str) -> str:
    """Return a stored date in the format of this name, the first one for an unknown name."""
    write = DATE_FORMATS.get(name) or next(iter(DATE_FORMATS.values()))
    return write(date.fromisoformat(stored))
