"""Count columns: impressions and clicks of human and bot traffic, by day, banner, group and sender."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import NamedTuple

from signatures.models import EventKind


class TotalKey(NamedTuple):
    """The key of one row of DailyTotal, by its columns; 0 for none."""

    day: date
    campaign_id: int
    banner_id: int
    group_id: int


class CountKey(NamedTuple):
    """The key of one row of DailyCount, by its columns; 0 for none."""

    day: date
    campaign_id: int
    banner_id: int
    group_id: int
    sender_id: int

    @property
    def total(self) -> TotalKey:
        return TotalKey(*self[:-1])


@dataclass(slots=True)
class Counts:
    """The four numbers of a row, by its columns; negative where they are subtracted from a row."""

    impressions: int = 0
    clicks: int = 0
    bot_impressions: int = 0
    bot_clicks: int = 0

    def add(self, kind: str, *, is_bot: bool, number: int = 1) -> None:
        if kind == EventKind.CLICK:
            column = "bot_clicks" if is_bot else "clicks"
        else:
            column = "bot_impressions" if is_bot else "impressions"
        setattr(self, column, getattr(self, column) + number)

    def add_all(self, other: Counts) -> None:
        for column in COLUMNS:
            setattr(self, column, getattr(self, column) + getattr(other, column))

    @property
    def is_zero(self) -> bool:
        return self == Counts()


COLUMNS = tuple(field.name for field in fields(Counts))


def add_up(counts: Mapping[CountKey, Counts]) -> dict[TotalKey, Counts]:
    """Return the counts over all senders."""
    totals: dict[TotalKey, Counts] = {}
    for key, numbers in counts.items():
        totals.setdefault(key.total, Counts()).add_all(numbers)
    return totals
