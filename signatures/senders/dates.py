"""Dates: the days on which something holds, from a first to a last one; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """starts, ends: the first and the last day, in ISO format; '' for no bound."""

    starts: str = ""
    ends: str = ""

    def holds(self, day: date) -> bool:
        return (self.starts or "0") <= day.isoformat() <= (self.ends or "9")

    @property
    def words(self) -> str:
        """The days as a phrase, '' for always."""
        first, last = (day and say_day(date.fromisoformat(day)) for day in (self.starts, self.ends))
        return " ".join(filter(None, (first and f"from {first}", last and f"until {last}")))


class Dated(Protocol):
    def get_dates(self) -> dict[str, str]: ...


def say_dates(row: Dated) -> str:
    """Return the days of a stored row as a phrase."""
    return Dates(**row.get_dates()).words


def say_day(day: date) -> str:
    return f"{day:%-d %b %Y}"
