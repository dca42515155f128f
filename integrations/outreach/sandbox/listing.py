"""Listing: one page of a collection, in order, filtered, from a cursor, without reading the table twice."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from .directory import Directory
from .documents import reader
from .errors import bad_parameters
from .query import Query

# meta.count is capped here (Outreach's pagination page).
MAX_COUNT = 2_000_000
FEW = 1000
# Sorted listings to cache; a client uses one or two orders per collection.
KEPT_ORDERS = 12


@dataclass
class Page:
    records: list[Any]
    has_previous: bool
    has_next: bool
    count: int | None = None


class Listings:
    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._orders: dict[tuple[Any, ...], tuple[int, list[Any]]] = {}
        self._lock = threading.Lock()

    def page(self, plural: str, query: Query) -> Page:
        """Return the records after (or before) the query's cursor, at most `query.size` of them."""
        order = self._ordered(plural, query)
        count = None
        if query.with_count:
            count = min(sum(1 for _ in _matching(order, query)), MAX_COUNT)
        if query.before is not None:
            end = _position(plural, order, query, query.before, beyond=False)
            found = _take(_matching(reversed(order[:end]), query), query.size + 1)
            return Page(found[: query.size][::-1], len(found) > query.size, True, count)
        start = 0
        if query.after is not None:
            start = _position(plural, order, query, query.after, beyond=True)
        rest = (order[index] for index in range(start, len(order)))
        found = _take(_matching(rest, query), query.size + 1)
        return Page(found[: query.size], query.after is not None, len(found) > query.size, count)

    def _ordered(self, plural: str, query: Query) -> list[Any]:
        """All candidates in the asked order: the whole table, or what an index already narrowed."""
        if plural == "prospects" and query.email is not None:
            with self.directory.lock:
                ids = self.directory.prospects.ids_with(query.email)
                prospects = [self.directory.prospects[each] for each in ids]
            return _sort(plural, prospects, query.sort)
        if plural == "mailboxes" and query.owner is not None:
            with self.directory.lock:
                is_known = query.owner in self.directory.users
                own = self.directory.mailboxes_of(query.owner) if is_known else []
            return _sort(plural, own, query.sort)
        key = (plural, query.sort)
        with self.directory.lock:
            version = self.directory.table(plural).version
            held = self._orders.get(key)
            if held is not None and held[0] == version:
                return held[1]
            records = list(self.directory.table(plural).values())
        if query.tests:
            # Few matches (what changed since yesterday) are sorted by themselves, faster than the table.
            few = _take(_matching(records, query), FEW + 1)
            if len(few) <= FEW:
                return _sort(plural, few, query.sort)
        order = _sort(plural, records, query.sort)
        with self._lock:
            self._orders[key] = (version, order)
            while len(self._orders) > KEPT_ORDERS:
                del self._orders[next(iter(self._orders))]
        return order


def _matching(records: Iterable[Any], query: Query) -> Iterator[Any]:
    tests = query.tests
    if not tests:
        return iter(records)
    if len(tests) == 1:
        return filter(tests[0], records)
    return (record for record in records if all(test(record) for test in tests))


def _take(records: Iterator[Any], most: int) -> list[Any]:
    taken = []
    for record in records:
        taken.append(record)
        if len(taken) == most:
            break
    return taken


def _sort(plural: str, records: list[Any], sort: tuple[tuple[str, bool], ...]) -> list[Any]:
    """Sorted by each attribute in turn, null first, and by id where all are equal."""
    ordered = sorted(records, key=attrgetter("id"))
    for name, descending in reversed(sort):
        ordered.sort(key=_ranked(plural, name), reverse=descending)
    return ordered


def _ranked(plural: str, name: str) -> Callable[[Any], tuple[bool, Any]]:
    """Return the function that gives a record's place by one attribute."""
    read = reader(plural, name)
    return lambda record: _rank(read(record))


def _rank(value: Any) -> tuple[bool, Any]:
    return (value is not None, value)


def _position(plural: str, order: list[Any], query: Query, cursor: dict[str, Any], *, beyond: bool) -> int:
    """Return the index of the first record after the cursor (`beyond`) or at it."""
    places = [
        (_ranked(plural, name), _rank(value), descending)
        for (name, descending), value in zip(query.sort, cursor["sv"], strict=True)
    ]

    def side(record: Any) -> int:
        """-1 before the cursor, 0 at it, 1 after it: never falling along the order."""
        for ranked, theirs, descending in places:
            mine = ranked(record)
            if mine != theirs:
                return 1 if (mine > theirs) != descending else -1
        return (record.id > cursor["id"]) - (record.id < cursor["id"])

    find = bisect.bisect_right if beyond else bisect.bisect_left
    try:
        return find(order, 0, key=side)
    except TypeError:
        raise bad_parameters("The page cursor does not belong to this listing.") from None
