"""The drawing of calls a day: where each bar stands, for a template to write. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

WIDTH, TOP, GROUND = 710, 22, 120
LEFT, RIGHT = 34, 700


class Day(Protocol):
    """One day's calls."""

    @property
    def day(self) -> date: ...
    @property
    def calls(self) -> int: ...
    @property
    def writes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: writes stand on the ground, everything else on the writes. Heights of 0 are not drawn."""

    day: date
    x: float
    width: float
    write_y: float
    write_height: float
    other_y: float
    other_height: float


@dataclass(frozen=True, slots=True)
class Plot:
    """most: the calls of the highest bar; 0 where nothing was called, and nothing is drawn."""

    bars: tuple[Bar, ...]
    most: int
    top: int = TOP
    ground: int = GROUND
    left: int = LEFT
    right: int = RIGHT


def draw(days: Sequence[Day]) -> Plot:
    """Return the bars of these days, from left to right. What happened at all is at least a hair high."""
    most = max((day.calls for day in days), default=0)
    step = (RIGHT - LEFT) / max(len(days), 1)
    room = GROUND - TOP

    def scale(calls: int) -> float:
        return round(max(calls / most * room, 1.5), 1) if calls else 0.0

    bars = []
    for number, day in enumerate(days):
        write, other = scale(day.writes), scale(day.calls - day.writes)
        bars.append(
            Bar(
                day=day.day,
                x=round(LEFT + number * step + step * 0.15, 1),
                width=round(step * 0.7, 1),
                write_y=round(GROUND - write, 1),
                write_height=write,
                other_y=round(GROUND - write - other, 1),
                other_height=other,
            )
        )
    return Plot(tuple(bars), most)
