"""Row store: writes values into the mirrored rows of one connection, and only where they changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import F

from integrations.models import Connection, Mailbox, Person, Team
from integrations.models.directory import MirrorRow
from portal.db import upsert_rows

Values = tuple[Any, ...]
"""What a row holds, in the order of its model's COLUMNS; lists as JSON text, ready for the database."""

PERSON_TEXTS = (
    "email", "first_name", "last_name", "name", "title", "phone", "phone_region", "phone_extension",
    "custom1", "custom2", "custom3", "custom4", "custom5",
)  # fmt: skip
COLUMNS: dict[type[MirrorRow], tuple[str, ...]] = {
    Team: ("name",),
    Person: (*PERSON_TEXTS, "is_locked", "team_ids"),
    Mailbox: ("email", "person_remote_id", "signature_html", "is_editable", "is_send_disabled"),
}
STOPS = {"is_locked": True, "is_editable": False}
"""What keeps us from writing: it stays until its end is told. The other answer is not known for good: without
being told again it is None, and nothing is written until it is told."""
EMPTY = {"is_send_disabled": False}  # what a new row holds that was not told; any other column ''
BATCH = 500  # ids in one query; SQLite takes at most 999


@dataclass(slots=True)
class Tally:
    """How many rows a page, or a whole run, added, changed and retired."""

    added: int = 0
    changed: int = 0
    retired: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        self.added += other.added
        self.changed += other.changed
        self.retired += other.retired
        return self


class RowStore:
    """The mirrored rows of one connection during one run.

    at: the instant every row changed by this run carries. writes: False only counts what would change.
    """

    def __init__(self, connection: Connection, *, at: datetime, writes: bool) -> None:
        self._connection = connection
        self._at = at
        self._writes = writes
        self._was_empty: dict[type[MirrorRow], bool] = {}
        self._news: dict[type[MirrorRow], set[str]] = {}  # ids put into what was empty

    def count_live(self, model: type[MirrorRow], *, except_ids: Collection[str] = ()) -> int:
        live = self.select(model).filter(retired_at=None)
        excepted = sum(live.filter(remote_id__in=ids).count() for ids in in_batches(except_ids))
        return int(live.count() - excepted)

    def find_missing(self, model: type[MirrorRow], seen: Collection[str]) -> list[str]:
        """Return the ids of live rows that a complete listing did not name."""
        live = self.select(model).filter(retired_at=None).values_list("remote_id", flat=True)
        return [remote_id for remote_id in live.iterator(chunk_size=2000) if remote_id not in seen]

    def retire(self, model: type[MirrorRow], remote_ids: Sequence[str]) -> Tally:
        """These rows are gone from Outreach; they stay here, marked so."""
        if self._writes:
            for ids in in_batches(remote_ids):
                self.select(model).filter(remote_id__in=ids).update(retired_at=self._at, changed_at=self._at)
        return Tally(retired=len(remote_ids))

    def select(self, model: type[MirrorRow]) -> Any:
        return model._default_manager.filter(connection=self._connection)

    def put(self, model: type[MirrorRow], rows: dict[str, Values]) -> Tally:
        """Each row holds these values; rows that held them already are not written."""
        tally = Tally()
        self._keep_unknown(model, rows)
        for ids in in_batches(rows):
            present = self._find_present(model, ids)
            fresh, same = [], []
            for remote_id in ids:
                digest = _digest(rows[remote_id])
                if present.get(remote_id) == (digest, None):
                    same.append(remote_id)
                    continue
                if remote_id in present:
                    tally.changed += 1
                else:
                    tally.added += 1
                fresh.append((remote_id, digest, *rows[remote_id]))
            if fresh and self._writes:
                stamps: dict[str, Any] = {
                    "connection": self._connection.pk,
                    "retired_at": None,
                    "changed_at": self._at,
                }
                if model is Mailbox:
                    stamps["read_at"] = self._at
                upsert_rows(
                    model,
                    unique=("connection", "remote_id"),
                    same=stamps,
                    columns=("remote_id", "digest", *COLUMNS[model]),
                    rows=fresh,
                )
            if same and self._writes and model is Mailbox:
                self._note_read(same)
        return tally

    def _keep_unknown(self, model: type[MirrorRow], rows: dict[str, Values]) -> None:
        """A value that is None in `rows` becomes what the row held, or is empty where there was no row."""
        for ids in in_batches(remote_id for remote_id, values in rows.items() if None in values):
            columns = COLUMNS[model]
            present = self.select(model).filter(remote_id__in=ids).values_list("remote_id", *columns)
            held = {remote_id: values for remote_id, *values in present}
            for remote_id in ids:
                known = dict(zip(columns, held.get(remote_id, ()), strict=False))
                rows[remote_id] = _fill(dict(zip(columns, rows[remote_id], strict=True)), known)

    def _note_read(self, mailbox_ids: list[str]) -> None:
        """What these mailboxes held before our last write to them, they hold again: that was read after it."""
        unread = self.select(Mailbox).filter(remote_id__in=mailbox_ids, written_at__gte=F("read_at"))
        unread.filter(written_at__lt=self._at).update(read_at=self._at)

    def _find_present(self, model: type[MirrorRow], ids: list[str]) -> dict[str, tuple[str, datetime | None]]:
        """Return digest and retirement of those rows that are there.

        A mirror that was empty when the run began is not asked for every page: what is there is what
        this run put there, and only a listing that names a record twice names one of those.
        """
        if model not in self._news:
            self._news[model] = set()
            self._was_empty[model] = not self.select(model).exists()
        if self._was_empty[model]:
            asked = [remote_id for remote_id in ids if remote_id in self._news[model]]
            self._news[model].update(ids)
        else:
            asked = ids
        if not asked:
            return {}
        rows = self.select(model).filter(remote_id__in=asked).values_list("remote_id", "digest", "retired_at")
        return {remote_id: (digest, retired_at) for remote_id, digest, retired_at in rows}


def note_written(connection: Connection, mailbox_ids: Collection[str], at: datetime) -> None:
    """We wrote to these mailboxes: what is mirrored of them is older than that, until they are read again."""
    for ids in in_batches(mailbox_ids):
        Mailbox.objects.filter(connection=connection, remote_id__in=ids).update(written_at=at)


def note_outdated(connection: Connection, mailbox_ids: Collection[str]) -> None:
    """A reading outside the sync found these mailboxes otherwise: the next one counts as a change, whatever it says."""
    for ids in in_batches(mailbox_ids):
        Mailbox.objects.filter(connection=connection, remote_id__in=ids).update(digest="")


def in_batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield lists of at most BATCH ids."""
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _fill(values: dict[str, Any], known: Mapping[str, Any]) -> Values:
    """Return the values with what was known in the place of each None."""
    has_moved = values.get("phone") is not None and _digits(values["phone"]) != _digits(
        known.get("phone", "")
    )
    for column in [column for column, value in values.items() if value is None]:
        present = known.get(column)
        if column in STOPS:
            values[column] = present if present is STOPS[column] else None
        elif column in ("phone_region", "phone_extension") and has_moved:
            values[column] = ""  # it belonged to the number before
        else:
            values[column] = EMPTY.get(column, "") if present is None else present
    return tuple(values.values())


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone, flags=re.ASCII)


def _digest(values: Values) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()
