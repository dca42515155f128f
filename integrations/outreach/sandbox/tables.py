"""Tables: the records of one kind by id, and how they change."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from .clock import Clock
from .records import FIELD_NAMES, NOTHING, RECORD_CLASSES, Mailbox, Prospect, Team, User

AnyRecord = TypeVar("AnyRecord", User, Team, Mailbox, Prospect)


class Table(dict[int, AnyRecord], Generic[AnyRecord]):
    """The records of one kind. version: rises with every change, so that sorted listings are sorted again."""

    def __init__(self, plural: str, clock: Clock, lock: threading.RLock) -> None:
        super().__init__()
        self.version = 0
        self._plural = plural
        self._clock = clock
        self._lock = lock

    def load(self, records: Iterable[AnyRecord]) -> None:
        """Store `records`; both sides of their relationships are the caller's to match."""
        with self._lock:
            for record in records:
                self._store(record)
            self.version += 1

    def create(self, **values: Any) -> AnyRecord:
        """Return a new record with the next free id and both its timestamps at now."""
        with self._lock:
            own, other = self._split(values)
            now = self._clock.stamp()
            made: dict[str, Any] = {"id": max(self, default=0) + 1, "created_at": now, "updated_at": now}
            made["more"] = MappingProxyType(other) if other else NOTHING
            return self._store(RECORD_CLASSES[self._plural](**made | own))

    def change(self, record_id: int, *, touch: bool = True, **changes: Any) -> AnyRecord:
        """Return the record with `changes`; attributes without a field of their own go to `more`, by their API name."""
        with self._lock:
            old = self[record_id]
            own, other = self._split(changes)
            if other:
                own["more"] = MappingProxyType({**old.more, **other})
            if touch and "updated_at" not in own:
                own["updated_at"] = self._clock.stamp()
            return self._store(replace(old, **own))

    def remove(self, record_id: int) -> None:
        with self._lock:
            del self[record_id]
            self.version += 1

    def _split(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        own = {name: value for name, value in values.items() if name in FIELD_NAMES[self._plural]}
        return own, {name: value for name, value in values.items() if name not in own}

    def _store(self, record: Any) -> AnyRecord:
        self[record.id] = record
        self.version += 1
        return self[record.id]


class ProspectTable(Table[Prospect]):
    """The prospects, which are also found by any of their addresses."""

    def __init__(self, plural: str, clock: Clock, lock: threading.RLock) -> None:
        super().__init__(plural, clock, lock)
        self._ids_by_email: dict[str, tuple[int, ...]] = {}

    def ids_with(self, email: str) -> tuple[int, ...]:
        """Return the ids of the prospects that have exactly this address, as any of theirs."""
        return self._ids_by_email.get(email, ())

    def remove(self, record_id: int) -> None:
        with self._lock:
            self._forget_emails(record_id)
            super().remove(record_id)

    def _store(self, record: Any) -> Prospect:
        if record.id in self:
            self._forget_emails(record.id)
        for email in record.emails:
            self._ids_by_email[email] = (*self.ids_with(email), record.id)
        return super()._store(record)

    def _forget_emails(self, record_id: int) -> None:
        for email in self[record_id].emails:
            self._ids_by_email[email] = tuple(each for each in self.ids_with(email) if each != record_id)
