"""Listings: stores the pages of one listing as they come, and sums up what the listing named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from integrations.connector import MailboxRecord, Page, PersonRecord, TeamRecord

from .rejections import COUNTERS, KINDS, Rejections
from .row_store import Tally
from .run_row import RunRow
from .unknown_values import Counted, add_page, as_json
from .watermarks import later

Record = TypeVar("Record", TeamRecord, PersonRecord, MailboxRecord)


@dataclass(slots=True)
class ListingSummary:
    """What one listing named: ids, and the newest instant. is_undated: some had none that we can use."""

    ids: set[str] = field(default_factory=set)
    newest: datetime | None = None
    has_nameless: bool = False
    has_gap: bool = False
    is_undated: bool = False

    def add(self, page: Page[Record]) -> None:
        self.has_gap = self.has_gap or page.has_gap
        self.ids.update(record.remote_id for record in page.records)
        instants = [getattr(record, "updated_at", None) for record in page.records]
        self.newest = later(self.newest, max(filter(None, instants), default=None))
        self.is_undated |= bool(page.unreadable) or None in instants
        self.ids.update(unreadable.remote_id for unreadable in page.unreadable)
        self.has_nameless |= any(not unreadable.remote_id for unreadable in page.unreadable)

    def get_watermark(self, since: datetime | None, undated: datetime) -> datetime | None:
        """Return from where on changes are to be read next.

        undated: counts where instants are missing or their records were rejected, as all that changed
            before the run began has been seen all the same.
        """
        newest = later(since, self.newest)
        return later(newest, undated) if self.is_undated and not self.has_gap else newest


class ListingReader:
    """Reads the listings of one run. gaps: sentences about listings that did not name everything."""

    def __init__(self, row: RunRow, rejections: Rejections) -> None:
        self._row = row
        self._rejections = rejections
        self._unknown = Counter[Counted]()
        self.gaps: list[str] = []

    def read(
        self,
        listing: Iterable[Page[Record]],
        kind: str,
        put: Callable[[Sequence[Record]], Tally],
        *,
        is_whole: bool,
    ) -> ListingSummary:
        """Store every page of one listing as it comes; is_whole: everything is listed, and not what changed."""
        run, summary = self._row.run, ListingSummary()
        for page in self._note_pages(listing, kind, summary):
            with self._row.storing():
                ids = (record.remote_id for record in page.records)
                self._rejections.note(KINDS[kind], ids, page.unreadable)
                self._row.count(put(page.records))
                setattr(run, COUNTERS[kind], getattr(run, COUNTERS[kind]) + len(page.records))
        if is_whole and not summary.has_gap:
            with self._row.storing():
                self._rejections.end_listing(KINDS[kind], summary.ids)
        return summary

    def _note_pages(
        self, listing: Iterable[Page[Record]], kind: str, summary: ListingSummary
    ) -> Iterator[Page[Record]]:
        """Yield each page of one listing, noting what it named and what was not told or did not fit."""
        run, is_complete = self._row.run, False
        for page in listing:
            is_complete = page.is_last
            summary.add(page)
            run.rejected += len(page.unreadable)
            if page.unknown:
                add_page(self._unknown, kind, page.unknown)
                run.unknown_values = as_json(self._unknown)
            yield page
        if summary.has_gap:
            summary.newest = None  # what lies in the gap is asked for again, however old its change is
            self.gaps.append(
                f"Outreach did not send every {kind}, and does not say which are missing. "
                "The next sync tries again; tell the operator if it happens again."
            )
        if not is_complete:
            raise AssertionError(f"The listing of {kind} ended without its last page.")
