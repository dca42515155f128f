"""Plot: memory and open files of each process group over a soak, as one SVG in the colours of the portal's charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from portal.charts import pick_marks, round_up

from .samples import GROUPS, Sample

WIDTH, HEIGHT, GAP = 720, 150, 60
LEFT, TOP, KEY = 56, 34, 30  # room for the scale, the titles and the names of the lines
BOUNDED = ("django_q.OrmQ", "sessions.Session", "leases held", "sessions of the database")
NAMES = {"django_q.OrmQ": "tasks in the queue", "sessions.Session": "sessions of people"}
STYLE = """
  svg { --paper: #ffffff; --ink: #4d535f; --line: #cfcbc0; }
  svg { --l0: #636a76; --l1: #2b4acb; --l2: #1a7346; --l3: #835600; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #1a1d25; --ink: #b3b6bf; --line: #3a3f4c; }
    svg { --l0: #959aa6; --l1: #8ea3ff; --l2: #6fd09c; --l3: #e8b65a; }
  }
  text { font: 12px system-ui, sans-serif; fill: var(--ink); }
  .title { font-weight: 600; } .scale { text-anchor: end; } .paper { fill: var(--paper); }
  .axis { stroke: var(--line); fill: none; } .third { stroke: var(--line); stroke-dasharray: 3 3; }
  polyline { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
""" + "".join(
    f"  .l{n} {{ stroke: var(--l{n}); }} text.l{n} {{ stroke: none; fill: var(--l{n}); }}\n" for n in range(4)
)

Get = Callable[[Sample], float]


def draw(samples: Sequence[Sample]) -> str:
    """Return the picture: memory, open files, and the tables that come and go; dashed lines part the thirds."""
    panels: list[tuple[str, list[tuple[str, Get]]]] = [
        ("Resident memory, MB", [(one, lambda at, of=one: at.sum_memory(of)) for one in GROUPS]),
        ("Open files", [(one, lambda at, of=one: at.sum_files(of)) for one in GROUPS]),
        ("Rows that come and go", [(NAMES.get(one, one), lambda at, of=one: at.rows[of]) for one in BOUNDED]),
    ]
    step = TOP + HEIGHT + KEY + GAP / 2
    width, height = LEFT + WIDTH + 16, step * len(panels) + 12
    drawn = [
        part
        for number, (title, lines) in enumerate(panels)
        for part in _draw_panel(title, lines, samples, top=step * number + TOP)
    ]
    summary = f"Memory, open files and rows over {samples[-1].seconds / 60:.0f} minutes of load"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
            f'aria-label="{escape(summary)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{width:g}" height="{height:g}"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def _draw_panel(
    title: str, lines: Sequence[tuple[str, Get]], samples: Sequence[Sample], *, top: float
) -> list[str]:
    most = round_up(int(max(get(one) for _, get in lines for one in samples)) + 1)
    right, floor, end = LEFT + WIDTH, top + HEIGHT, samples[-1].seconds or 1.0
    parts = [f'<text class="title" x="{LEFT}" y="{top - 12:g}">{escape(title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = floor - HEIGHT * share
        parts.append(f'<path class="axis" d="M{LEFT} {y:g}H{right}"/>')
        parts.append(f'<text class="scale" x="{LEFT - 8}" y="{y + 4:g}">{most * share:,.0f}</text>')
    for third in (1, 2):
        x = LEFT + WIDTH * third / 3
        parts.append(f'<path class="third" d="M{x:g} {top:g}V{floor:g}"/>')
    for number, (name, get) in enumerate(lines):
        points = " ".join(
            f"{LEFT + WIDTH * one.seconds / end:.1f},{floor - HEIGHT * get(one) / most:.1f}"
            for one in samples
        )
        parts.append(
            f'<polyline class="l{number}" points="{points}"><title>{escape(name)}</title></polyline>'
        )
        x = LEFT + WIDTH * number / len(lines)
        parts.append(f'<text class="l{number}" x="{x:g}" y="{floor + 36:g}">{escape(name)}</text>')
    marks = pick_marks([f"{one.seconds / 60:.0f} min" for one in samples])
    for number, mark in enumerate(marks):
        x = LEFT + WIDTH * number / max(1, len(marks) - 1)
        anchor = "start" if number == 0 else "end" if number == len(marks) - 1 else "middle"
        parts.append(f'<text x="{x:g}" y="{floor + 17:g}" text-anchor="{anchor}">{mark}</text>')
    return parts
