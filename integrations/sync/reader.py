"""Reader: reads teams, people and mailboxes into the mirror, in the order that a kind of run asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from integrations.catalogue import get_provider
from integrations.connection.permissions import get_block_reason
from integrations.connection.sessions import open_session
from integrations.connector import Connector, Page, PersonRecord, TeamRecord
from integrations.models import Mailbox, Person, RunState, SyncKind, SyncRun, Team
from portal.leases import Lease
from portal.worker.gc_tuning import collect_rarely

from .listings import ListingReader, ListingSummary
from .mirror import Mirror, TeamSides
from .rejections import Rejections, describe_shares
from .removals import Removals
from .row_store import Tally
from .run_row import Progress, RunRow
from .watermarks import UNDATED, Watermarks, get_watermarks, later, with_overlap


class Reading:
    """One run while it is carried out. Without a lease it is a preview: it writes nothing."""

    def __init__(self, run: SyncRun, *, lease: Lease | None = None, progress: Progress | None = None) -> None:
        self._run = run
        self._started_at = run.started_at or timezone.now()
        writes = lease is not None
        self._mirror = Mirror(run.connection, at=self._started_at, writes=writes)
        rows = self._mirror.rows
        self._rejections = Rejections(run, rows, writes=writes)
        self._row = RunRow(run, lease=lease, progress=progress)
        self._listings = ListingReader(self._row, self._rejections)
        self._removals = Removals(self._row, rows, self._rejections)
        self._team_sides: TeamSides = {}
        self._skipped: list[str] = []

    def carry_out(self) -> None:
        """Read everything; whatever happens, the run's row says how it ended."""
        with self._row.ending(self.judge):
            self.read_everything()

    def judge(self) -> tuple[RunState, str]:
        """Return how a run ends that came to its end, and what a person should know of it."""
        incomplete = [*describe_shares(self._rejections.list_shares()), *self._listings.gaps]
        state = RunState.INCOMPLETE if incomplete else RunState.COMPLETE
        return state, " ".join([*incomplete, *self._removals.held, *self._skipped])

    def read_everything(self) -> None:
        """Teams, people and mailboxes are mirrored, as far as the granted permissions reach."""
        run, connection = self._run, self._run.connection
        marks = None if run.kind == SyncKind.FULL else get_watermarks(connection)
        job = f"sync {run.pk}" if run.pk else "sync preview"
        actor = run.started_by_label if run.started_by_id else ""
        with (
            collect_rarely(),
            open_session(connection, job=job, actor_label=actor) as session,
            self._row.counting(session),
        ):
            if marks is None:
                self._read_whole(session.connector)
            elif run.kind == SyncKind.MAILBOXES:
                self._read_mailboxes_alone(session.connector, marks)
            else:
                self._read_changes(session.connector, marks)

    def _read_whole(self, connector: Connector) -> None:
        """Mirror all three listings; what they do not name is retired when all were read."""
        self._read_team_sides(connector)
        people = self._read_people(connector, since=None)
        mailboxes = self._read_mailboxes(connector, since=None)
        self._removals.retire_missing(Person, people)
        self._removals.retire_missing(Mailbox, mailboxes)

    def _read_changes(self, connector: Connector, marks: Watermarks) -> None:
        """Mirror the people who changed; teams and mailboxes only where the run is not about people alone."""
        if self._run.kind == SyncKind.PEOPLE:
            self._team_sides.update(dict.fromkeys(self._mirror.rows.find_missing(Team, ())))
        else:
            self._read_team_sides(connector)
        people = self._read_people(connector, since=marks.people)
        if people is not None and self._team_sides:
            with self._row.storing():
                self._row.count(self._mirror.put_team_sides(self._team_sides, except_people=people.ids))
        self._run.mailboxes_watermark = marks.mailboxes
        if self._run.kind != SyncKind.PEOPLE:
            self._read_mailboxes(connector, since=marks.mailboxes)

    def _read_mailboxes_alone(self, connector: Connector, marks: Watermarks) -> None:
        """Mirror every mailbox as it is now; teams and people stay as they were read before."""
        run = self._run
        run.people_watermark, run.mailboxes_watermark = marks.people, None
        mailboxes = self._read_mailboxes(connector, since=None)
        run.mailboxes_watermark = later(marks.mailboxes, run.mailboxes_watermark)
        self._removals.retire_missing(Mailbox, mailboxes)

    def _may_read(self, what: str) -> bool:
        scope = get_provider().listing_scopes[what]
        if self._run.connection.has_scope(scope):
            self._run.phase = what
            return True
        why = get_block_reason(self._run.connection, scope)
        self._skipped.append(f"{what.capitalize()} were not read: {why}")
        return False

    def _read_team_sides(self, connector: Connector) -> None:
        """Fill `_team_sides` with every team there is.

        A team that stays, though nothing was told of it now, keeps the members it had: it was
        rejected, its removal is held, or teams may not be read.
        """
        self._team_sides.clear()
        gone = self._read_teams(connector) if self._may_read("teams") else ()
        for remote_id in self._mirror.rows.find_missing(Team, self._team_sides):
            if remote_id not in gone:
                self._team_sides[remote_id] = None

    def _read_teams(self, connector: Connector) -> Collection[str]:
        """Put every team's members into `_team_sides`; return the ids of the teams that are gone."""

        def put(records: Sequence[TeamRecord]) -> Tally:
            self._team_sides.update({record.remote_id: record.member_ids for record in records})
            return self._mirror.put_teams(records)

        teams = self._listings.read(connector.list_teams(), "team", put, is_whole=True)
        return self._removals.retire_missing(Team, teams)

    def _read_people(self, connector: Connector, *, since: datetime | None) -> ListingSummary | None:
        def put(records: Sequence[PersonRecord]) -> Tally:
            return self._mirror.put_people(records, self._team_sides)

        if not self._may_read("people"):
            return None
        listing = connector.list_people(updated_since=with_overlap(since))
        if self._run.kind == SyncKind.PEOPLE:
            listing = self._read_teams_where_people_moved(listing, connector)
        listed = self._listings.read(listing, "person", put, is_whole=since is None)
        self._run.people_watermark = listed.get_watermark(since, self._undated_watermark)
        return listed

    def _read_teams_where_people_moved(
        self, listing: Iterator[Page[PersonRecord]], connector: Connector
    ) -> Iterator[Page[PersonRecord]]:
        """Yield the pages; the teams are read before the first with somebody whose teams are not as mirrored.

        A membership has two sides, and one alone would take a person out of teams that only they list.
        """
        knows_teams = False
        for page in listing:
            if not knows_teams and self._mirror.have_moved(page.records):
                self._read_team_sides(connector)
                self._run.phase = "people"
                knows_teams = True
            yield page

    def _read_mailboxes(self, connector: Connector, *, since: datetime | None) -> ListingSummary | None:
        if not self._may_read("mailboxes"):
            return None
        listing = connector.list_mailboxes(updated_since=with_overlap(since))
        listed = self._listings.read(listing, "mailbox", self._mirror.put_mailboxes, is_whole=since is None)
        self._run.mailboxes_watermark = listed.get_watermark(since, self._undated_watermark)
        return listed

    @property
    def _undated_watermark(self) -> datetime:
        """The beginning of the run by the slower of the two clocks, for records that have no instant."""
        ahead = timedelta(seconds=max(self._run.connection.clock_skew_seconds or 0, 0))
        return self._started_at - ahead - UNDATED
