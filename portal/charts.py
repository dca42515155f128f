"""Charts: computes bars and areas as plain numbers, for templates to draw without script or inline style.

Pure geometry, without colours. The two series of a plot share one bar: the total behind, a part in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 100.0  # drawn as wide and as high as the page gives it
GAP = 0.25  # of a bar's place
HAIR = 1.5  # the least height of what happened at all
MARKS = 4  # names below the plot, so that they fit a phone


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar from the floor up; x, y, width and height within WIDTH and HEIGHT. words: what it says."""

    x: float
    width: float
    all_y: float
    all_height: float
    part_y: float
    part_height: float
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart and its texts.

    summary: text alternative. top: the value at the upper edge; the middle line is at half of it. marks:
    names below, left to right.
    """

    title: str
    summary: str
    all_name: str
    part_name: str
    bars: tuple[Bar, ...]
    top: int
    marks: tuple[str, ...]
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def is_empty(self) -> bool:
        return not any(bar.all_height for bar in self.bars)

    @property
    def half(self) -> int:
        return self.top // 2


def draw_bars(
    title: str,
    *,
    names: Sequence[str],
    everything: Sequence[int],
    part: Sequence[int],
    all_name: str,
    part_name: str,
) -> Plot:
    """Return the plot of one bar for each name: `everything` high, `part` of it in front."""
    top = round_up(max(everything, default=0))
    place = WIDTH / max(1, len(names))

    def scale(value: int) -> float:
        return max(HAIR, round(HEIGHT * value / top, 2)) if value else 0.0

    bars = tuple(
        Bar(
            x=round(place * (number + GAP / 2), 2),
            width=round(place * (1 - GAP), 2),
            all_y=round(HEIGHT - scale(whole), 2),
            all_height=scale(whole),
            part_y=round(HEIGHT - scale(some), 2),
            part_height=scale(some),
            words=f"{name}: {some:,} {part_name}, {whole:,} {all_name}",
        )
        for number, (name, whole, some) in enumerate(zip(names, everything, part, strict=True))
    )
    summary = f"{title}: {sum(part):,} {part_name}, {sum(everything):,} {all_name}"
    if any(everything):
        highest = max(range(len(names)), key=lambda number: everything[number])
        summary += f"; most on {names[highest]}, {everything[highest]:,}"
    return Plot(title, summary, all_name, part_name, bars, top, pick_marks(names))


def round_up(value: int) -> int:
    """Return the next even round number at or above the value: 2, 4, 10, 20, 40, 100 and so on."""
    scale = 1
    while True:
        for step in (2, 4, 10):
            if value <= step * scale:
                return step * scale
        scale *= 10


def pick_marks(names: Sequence[str]) -> tuple[str, ...]:
    """Return a few evenly spread names, including the first and the last."""
    if len(names) <= MARKS:
        return tuple(names)
    last = len(names) - 1
    return tuple(names[round(last * number / (MARKS - 1))] for number in range(MARKS))


@dataclass(frozen=True, slots=True)
class Layer:
    """One state of a stack. name: how its class ends, such as 'edited'; points: of an SVG polygon."""

    name: str
    label: str
    points: str


@dataclass(frozen=True, slots=True)
class Stack:
    """States stacked on each other day by day, in steps. events: where dashed lines stand, each with its words."""

    title: str
    summary: str
    layers: tuple[Layer, ...]
    events: tuple[tuple[float, str], ...]
    top: int
    marks: tuple[str, ...]
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def half(self) -> int:
        return self.top // 2


def draw_states(
    title: str,
    *,
    names: Sequence[str],
    states: Sequence[tuple[str, str, Sequence[int]]],
    events: Sequence[tuple[int, str]] = (),
) -> Stack:
    """Return a stack of states, the first at the bottom. names: of the days.

    states: name, label and number of each day. events: the place of a day, and what happened on it.
    """
    totals = [sum(values[day] for _, _, values in states) for day in range(len(names))]
    top, place = round_up(max(totals, default=0)), WIDTH / max(1, len(names))
    below, layers = [0] * len(names), []
    for name, label, values in states:
        above = [low + value for low, value in zip(below, values, strict=True)]
        edges = _step(above, top, place) + _step(below, top, place)[::-1]
        layers.append(Layer(name, label, " ".join(f"{x:g},{y:g}" for x, y in edges)))
        below = above
    summary = title
    if names:
        last = ", ".join(f"{values[-1]:,} {label.lower()}" for _, label, values in states)
        highest = max(range(len(names)), key=lambda day: totals[day])
        summary = f"{title}. {names[-1]}: {last}. Most on {names[highest]}: {totals[highest]:,}"
    lines = tuple((round(place * (day + 0.5), 2), words) for day, words in events)
    return Stack(title, summary, tuple(layers), lines, top, pick_marks(names))


def _step(heights: Sequence[int], top: int, place: float) -> list[tuple[float, float]]:
    """Return the corners of a line in steps, left to right."""
    return [
        (round(place * x, 2), round(HEIGHT - HEIGHT * value / top, 2))
        for day, value in enumerate(heights)
        for x in (day, day + 1)
    ]
