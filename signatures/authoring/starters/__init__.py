"""The templates the product ships: what a new domain starts with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Starter:
    """A shipped template. source: HTML with Liquid, as a person would edit it."""

    slug: str
    name: str
    description: str
    source: str


def _starter(slug: str, name: str, description: str) -> Starter:
    return Starter(slug, name, description, (Path(__file__).parent / f"{slug}.html").read_text("utf-8"))


STARTERS: tuple[Starter, ...] = (
    _starter("letterhead", "Letterhead", "Logo on the left, a rule, and the details beside it."),
    _starter("plain-line", "Plain line", "Two or three lines of text, for people who write a lot of mail."),
    _starter("card", "Card", "A portrait, a bar in the brand colour, and a link to book a meeting."),
)
