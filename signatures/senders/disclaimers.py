"""Disclaimers: those that hold for some days take the place of a company's or a group's own; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class DatedDisclaimer:
    """A disclaimer for some days. starts, ends: the first and the last of them, in ISO format; '' for no bound."""

    text: str
    starts: str = ""
    ends: str = ""

    def __str__(self) -> str:
        first, last = self.starts and f"from {self.starts}", self.ends and f"until {self.ends}"
        return f"{' '.join(filter(None, (first, last))).capitalize()}: {self.text}"

    def holds(self, day: date) -> bool:
        return (self.starts or "0") <= day.isoformat() <= (self.ends or "9")


def apply_disclaimers(
    values: Mapping[str, str], disclaimers: Iterable[DatedDisclaimer], day: date
) -> dict[str, str]:
    """Return company values with the disclaimer of a day: of several, the one that started last."""
    held = [each for each in disclaimers if each.holds(day)]
    return {**values, **({"legal": max(held, key=lambda each: each.starts).text} if held else {})}
