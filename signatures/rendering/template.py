"""Compiled template: what is stored after checking, and what renders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from liquid.template import BoundTemplate

from .liquid import LIQUID


@dataclass(frozen=True)
class CompiledTemplate:
    """A checked template.

    html: Liquid in sanitized markup with inline styles; the text to store.
    fields: names of the merge fields it uses, in order of first use.
    warnings: sentences for the author; nothing in them prevents use.
    """

    html: str
    fields: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_stored(cls, html: str, fields: Iterable[str]) -> CompiledTemplate:
        """Return the template that was stored as `html` and `fields`."""
        return cls(html, tuple(fields))

    def parsed(self) -> BoundTemplate:
        """Return the parsed template; a text is parsed once per process."""
        return _parse(self.html)


@lru_cache(maxsize=256)
def _parse(html: str) -> BoundTemplate:
    return LIQUID.from_string(html)
