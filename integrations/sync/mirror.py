"""Mirror: turns a provider's records into rows; a person's teams are what both sides say."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from operator import attrgetter

from integrations.connector import MailboxRecord, PersonRecord, TeamRecord
from integrations.models import Connection, Mailbox, Person, Team

from .row_store import PERSON_TEXTS, RowStore, Tally, in_batches

TeamSides = dict[str, frozenset[str] | None]
"""Team id -> member ids as the team lists them; None where it gave no complete list."""

get_texts = attrgetter(*PERSON_TEXTS)


class Mirror:
    """One connection's mirror during one run.

    at: the instant every row changed by this run carries. writes: False only counts what would change.
    """

    def __init__(self, connection: Connection, *, at: datetime, writes: bool = True) -> None:
        self.rows = RowStore(connection, at=at, writes=writes)

    def put_teams(self, records: Sequence[TeamRecord]) -> Tally:
        return self.rows.put(Team, {record.remote_id: (record.name,) for record in records})

    def put_people(self, records: Sequence[PersonRecord], team_sides: TeamSides) -> Tally:
        """A person's teams are the union of what the person and the teams say, as both may be short."""
        sides = _by_person(team_sides, {record.remote_id for record in records})
        known = self._get_teams(record.remote_id for record in records if record.team_ids is None)
        rows = {}
        for record in records:
            own = record.team_ids
            if own is None:
                own = frozenset(_unlisted(known.get(record.remote_id, []), team_sides))
            teams = own | sides.get(record.remote_id, set())
            rows[record.remote_id] = (*get_texts(record), record.is_locked, _as_json(teams))
        return self.rows.put(Person, rows)

    def put_team_sides(self, team_sides: TeamSides, *, except_people: Collection[str]) -> Tally:
        """People who were not read in this run are in the teams that list them now, and left the others."""
        listed = _by_person(team_sides, None)
        people = self.rows.select(Person).filter(retired_at=None)
        stale: dict[str, str] = {}
        for remote_id, team_ids in people.values_list("remote_id", "team_ids").iterator(chunk_size=2000):
            if remote_id not in except_people:
                present = _as_json(listed.get(remote_id, set()) | _unlisted(team_ids, team_sides))
                if present != _as_json(team_ids):
                    stale[remote_id] = present
        tally = Tally()
        for ids in in_batches(stale):
            held = people.filter(remote_id__in=ids).values_list("remote_id", *PERSON_TEXTS, "is_locked")
            tally += self.rows.put(Person, {row[0]: (*row[1:], stale[row[0]]) for row in held})
        return tally

    def put_mailboxes(self, records: Sequence[MailboxRecord]) -> Tally:
        rows = {
            record.remote_id: (
                record.email, record.person_id, record.signature_html, record.is_editable, record.is_send_disabled,
            )
            for record in records
        }  # fmt: skip
        return self.rows.put(Mailbox, rows)

    def have_moved(self, records: Sequence[PersonRecord]) -> bool:
        """Return whether any of these people tells of other teams than the mirror does."""
        told = {record.remote_id: record.team_ids for record in records if record.team_ids is not None}
        known = self._get_teams(told)
        return any(set(known.get(remote_id, ())) != teams for remote_id, teams in told.items())

    def _get_teams(self, people: Iterable[str]) -> dict[str, list[str]]:
        """Return person id -> mirrored team ids, of those people who are there."""
        known: dict[str, list[str]] = {}
        for ids in in_batches(people):
            known |= dict(
                self.rows.select(Person).filter(remote_id__in=ids).values_list("remote_id", "team_ids")
            )
        return known


def _as_json(ids: Iterable[str]) -> str:
    return json.dumps(sorted(ids))


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
