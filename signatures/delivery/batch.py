"""Batches: outcomes of one run that are recorded together, and what they change in its counters."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import F

from signatures.models import Delivery

from .base import Placed

COUNTERS = ("settled", "unchanged", "delivered", "refused", "failed")


class Tally:
    """Changes to a run's counters, collected while rows are settled."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTERS, 0)

    def count(self, outcome: str) -> None:
        """One planned row is settled with this outcome."""
        self._counts["settled"] += 1
        self._counts[outcome] += 1

    def as_changes(self) -> dict[str, object]:
        """Return what changes on the run; whatever was settled ends a row of stalls."""
        changes: dict[str, object] = {name: F(name) + count for name, count in self._counts.items() if count}
        return changes and {**changes, "stalls": 0, "waiting_since": None}


@dataclass(slots=True)
class Batch:
    """Outcomes that are recorded together."""

    rows: list[Delivery] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
