"""Rows of the mirror from a provider's records. Called by `sync` alone; writes nothing that did not change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from .connector import MailboxRecord, PersonRecord, TeamRecord
from .models import Connection, Mailbox, Person, Team
from .models.directory import MirrorRow

TeamSides = dict[str, frozenset[str] | None]
"""Team id -> member ids as the team lists them; None where it gave no complete list."""

PERSON_TEXTS = (
    "email", "first_name", "last_name", "name", "title", "phone", "phone_extension",
    "custom1", "custom2", "custom3", "custom4", "custom5",
)  # fmt: skip
BATCH = 400  # ids in one query; SQLite takes at most 999


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


class Mirror:
    """One connection's mirror during one run.

    at: the instant every row changed by this run carries. writes: False only counts what would change.
    """

    def __init__(self, connection: Connection, *, at: datetime, writes: bool = True) -> None:
        self._connection = connection
        self._at = at
        self._writes = writes

    def put_teams(self, records: Sequence[TeamRecord]) -> Tally:
        return self._put(Team, {record.remote_id: {"name": record.name} for record in records})

    def put_people(self, records: Sequence[PersonRecord], team_sides: TeamSides) -> Tally:
        """A person's teams are the union of what the person and the teams say, as both may be short."""
        sides = _by_person(team_sides, {record.remote_id for record in records})
        known = self._known_teams(records)
        rows = {}
        for record in records:
            own = (
                record.team_ids
                if record.team_ids is not None
                else _unlisted(known[record.remote_id], team_sides)
            )
            columns: dict[str, Any] = {name: getattr(record, name) for name in PERSON_TEXTS}
            columns["is_locked"] = record.is_locked
            columns["team_ids"] = sorted(own | sides.get(record.remote_id, set()))
            rows[record.remote_id] = columns
        return self._put(Person, rows)

    def put_team_sides(self, team_sides: TeamSides, *, except_people: Collection[str]) -> Tally:
        """People who were not read in this run are in the teams that list them now, and left the others."""
        listed = _by_person(team_sides, None)
        tally = Tally()
        people = Person.objects.filter(connection=self._connection, retired_at=None).only(
            "remote_id", "team_ids", *PERSON_TEXTS, "is_locked"
        )
        stale: dict[str, dict[str, Any]] = {}
        for remote_id, team_ids in people.values_list("remote_id", "team_ids").iterator(chunk_size=2000):
            if remote_id in except_people:
                continue
            present = sorted(listed.get(remote_id, set()) | _unlisted(team_ids, team_sides))
            if present != team_ids:
                stale[remote_id] = {"team_ids": present}
        for ids in in_batches(stale):
            rows = {}
            for person in people.filter(remote_id__in=ids):
                columns = {name: getattr(person, name) for name in (*PERSON_TEXTS, "is_locked")}
                rows[person.remote_id] = columns | stale[person.remote_id]
            tally += self._put(Person, rows)
        return tally

    def put_mailboxes(self, records: Sequence[MailboxRecord]) -> Tally:
        rows = {
            record.remote_id: {
                "email": record.email,
                "person_remote_id": record.person_id,
                "signature_html": record.signature_html,
                "is_editable": record.is_editable,
                "is_send_disabled": record.is_send_disabled,
            }
            for record in records
        }
        return self._put(Mailbox, rows)

    def count_live(self, model: type[MirrorRow]) -> int:
        return self._rows(model).filter(retired_at=None).count()

    def find_missing(self, model: type[MirrorRow], seen: Collection[str]) -> list[str]:
        """Return the ids of live rows that a complete listing did not name."""
        live = self._rows(model).filter(retired_at=None).values_list("remote_id", flat=True)
        return [remote_id for remote_id in live.iterator(chunk_size=2000) if remote_id not in seen]

    def retire(self, model: type[MirrorRow], remote_ids: Sequence[str]) -> Tally:
        """These rows are gone from Outreach; they stay here, marked so."""
        if self._writes:
            for ids in in_batches(remote_ids):
                self._rows(model).filter(remote_id__in=ids).update(retired_at=self._at, changed_at=self._at)
        return Tally(retired=len(remote_ids))

    def _rows(self, model: type[MirrorRow]) -> Any:
        return model._default_manager.filter(connection=self._connection)

    def _known_teams(self, records: Sequence[PersonRecord]) -> dict[str, list[str]]:
        """Return what is mirrored of the teams of those people whose record does not tell them."""
        silent = [record.remote_id for record in records if record.team_ids is None]
        known: dict[str, list[str]] = {remote_id: [] for remote_id in silent}
        for ids in in_batches(silent):
            known |= dict(self._rows(Person).filter(remote_id__in=ids).values_list("remote_id", "team_ids"))
        return known

    def _put(self, model: type[MirrorRow], rows: dict[str, dict[str, Any]]) -> Tally:
        """Each row holds these columns; rows that held them already are not written."""
        tally = Tally()
        for ids in in_batches(rows):
            present = {
                remote_id: (digest, retired_at)
                for remote_id, digest, retired_at in self._rows(model)
                .filter(remote_id__in=ids)
                .values_list("remote_id", "digest", "retired_at")
            }
            fresh = []
            for remote_id in ids:
                digest = _digest(rows[remote_id])
                if present.get(remote_id) == (digest, None):
                    continue
                if remote_id in present:
                    tally.changed += 1
                else:
                    tally.added += 1
                fresh.append(self._build(model, remote_id, digest, rows[remote_id]))
            if fresh and self._writes:
                model._default_manager.bulk_create(
                    fresh,
                    update_conflicts=True,
                    unique_fields=["connection", "remote_id"],
                    update_fields=[*rows[ids[0]], *self._own_columns(model)],
                )
        return tally

    def _own_columns(self, model: type[MirrorRow]) -> list[str]:
        return ["digest", "retired_at", "changed_at", *(["read_at"] if model is Mailbox else [])]

    def _build(self, model: type[MirrorRow], remote_id: str, digest: str, columns: dict[str, Any]) -> Any:
        stamps = {"read_at": self._at} if model is Mailbox else {}
        return model(
            connection=self._connection,
            remote_id=remote_id,
            digest=digest,
            changed_at=self._at,
            **columns,
            **stamps,
        )


def in_batches(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield lists of at most BATCH ids."""
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _digest(columns: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()


def _by_person(team_sides: TeamSides, people: Collection[str] | None) -> dict[str, set[str]]:
    """Return person id -> teams that list the person; only for `people` where given."""
    found: dict[str, set[str]] = {}
    for team_id, members in team_sides.items():
        if members:
            for person_id in members if people is None else members.intersection(people):
                found.setdefault(person_id, set()).add(team_id)
    return found


def _unlisted(team_ids: Iterable[str], team_sides: TeamSides) -> set[str]:
    """Return those teams that still exist but gave no complete list, so that they cannot contradict."""
    return {team_id for team_id in team_ids if team_id in team_sides and team_sides[team_id] is None}
