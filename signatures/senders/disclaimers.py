"""Disclaimers: those that hold for some days take the place of a company's or a group's own; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from .dates import Dates


@dataclass(frozen=True, slots=True)
class DatedDisclaimer(Dates):
    """A disclaimer for some days."""

    text: str

    def __str__(self) -> str:
        return f"{self.words[:1].upper()}{self.words[1:]}: {self.text}"


def apply_disclaimers(
    values: Mapping[str, str], disclaimers: Iterable[DatedDisclaimer], day: date
) -> dict[str, str]:
    """Return company values with the disclaimer of a day: of several, the one that started last."""
    held = [each for each in disclaimers if each.holds(day)]
    return {**values, **({"legal": max(held, key=lambda each: each.starts).text} if held else {})}
