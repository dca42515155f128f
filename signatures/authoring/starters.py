"""Starters: the shipped designs as templates to start from, and those that a new domain is given."""

from __future__ import annotations

from dataclasses import dataclass

from signatures.rendering.blocks import write_design
from signatures.rendering.blocks.designs import DESIGNS


@dataclass(frozen=True)
class Starter:
    """A shipped template. source: HTML with Liquid, made of blocks."""

    slug: str
    name: str
    description: str
    source: str


STARTERS: tuple[Starter, ...] = tuple(
    Starter(shipped.slug, shipped.name, shipped.description, write_design(shipped.design))
    for shipped in DESIGNS
)
# The others are in the gallery for whoever wants them.
INSTALLED = STARTERS[:3]
