"""Compiled template: a checked template, as it is stored and rendered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from liquid.template import BoundTemplate

from .findings import Finding, Severity
from .liquid import LIQUID


@dataclass(frozen=True)
class CompiledTemplate:
    """A checked template.

    html: Liquid in sanitized markup with inline styles; the text to store.
    fields: names of the merge fields it uses, in order of first use.
    findings: for the author. Errors among them prevent publishing; none prevents saving.
    """

    html: str
    fields: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings that are errors or warnings, each as one text."""
        return tuple(one.text for one in self.findings if one.severity is not Severity.NOTE)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that prevent publishing."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

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
