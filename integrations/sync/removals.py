"""Removals: retires rows that a complete listing no longer names, unless unusually many are missing."""

from __future__ import annotations

from collections.abc import Collection

from integrations.models.directory import MirrorRow

from .listings import ListingSummary
from .rejections import Rejections
from .row_store import RowStore
from .run_row import RunRow

HOLD_ABOVE_PERCENT = 30
HOLD_ABOVE_ROWS = 10


class Removals:
    """The removals of one run. held: sentences about those that were not carried out."""

    def __init__(self, row: RunRow, rows: RowStore, rejections: Rejections) -> None:
        self._row = row
        self._mirrored = rows
        self._rejections = rejections
        self.held: list[str] = []

    def retire_missing(self, model: type[MirrorRow], listed: ListingSummary | None) -> Collection[str]:
        """Return the ids of the rows that were retired; none where the listing was not read, or the removal is held."""
        if listed is None:
            return ()
        if listed.has_nameless:
            self.held.append(f"No {model._meta.verbose_name} was removed, as a record came without its id.")
            return ()
        missing = self._mirrored.find_missing(model, listed.ids)
        if not missing or self._rejections.are_many:
            return ()
        live = self._mirrored.count_live(model)
        is_many = len(missing) > HOLD_ABOVE_ROWS and len(missing) * 100 > live * HOLD_ABOVE_PERCENT
        is_empty = not listed.ids and live > 1
        if (is_many or is_empty) and not self._row.run.confirms_removals:
            self._row.run.held_removals += len(missing)
            self.held.append(
                f"Outreach no longer lists {len(missing)} of {live} {model._meta.verbose_name_plural}. "
                "That is unusually many, so none was removed here until you confirm it."
            )
            return ()
        with self._row.storing():
            self._row.count(self._mirrored.retire(model, missing))
        return set(missing)
