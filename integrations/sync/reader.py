"""Reader: reads three listings into the mirror, and records how the reading ended."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import close_old_connections, transaction
from django.utils import timezone

from integrations.catalogue import get_provider
from integrations.connection.permissions import get_block_reason
from integrations.connection.sessions import Session, open_session
from integrations.connector import MailboxRecord, Page, PersonRecord, TeamRecord
from integrations.errors import ConnectionLost, IntegrationError, RateLimited
from integrations.faults import record_fault, say_fault
from integrations.models import READ_TO_END, Connection, Mailbox, Person, RunState, SyncKind, SyncRun, Team
from integrations.models.directory import MirrorRow
from integrations.outages import explain_outage, get_pause, is_outage, say_outage
from portal.leases import Lease, LeaseLost
from portal.worker.gc_tuning import collect_rarely

from .mirror import Mirror, Tally, TeamSides
from .rejections import KINDS, Rejections, describe_shares
from .unknown_values import Counted, add_page, as_json

LEASE = timedelta(minutes=5)  # longer than one call can take; it is renewed before a page is asked for again
OVERLAP = timedelta(seconds=5)  # read again behind the newest instant seen, as rows commit out of order
UNDATED = timedelta(minutes=1)  # how much our clock may go ahead beyond what was last compared
HOLD_ABOVE_PERCENT = 30
HOLD_ABOVE_ROWS = 10

STORED = (
    "phase", "calls", "teams_read", "people_read", "mailboxes_read", "added", "changed", "retired", "rejected",
    "unknown_values",
)  # fmt: skip
AT_END = (
    "state", "cause", "resume_at", "finished_at", "waits", "people_watermark", "mailboxes_watermark",
    "held_removals",
)  # fmt: skip
MOST_COUNTED = 32_000  # waits that fit into their column

logger = logging.getLogger(__name__)

Progress = Callable[[SyncRun], None]
Record = TypeVar("Record", TeamRecord, PersonRecord, MailboxRecord)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """The newest `updatedAt` that runs which came to their end have seen; a later run reads from there on."""

    people: datetime | None
    mailboxes: datetime | None


def get_watermarks(connection: Connection) -> Watermarks | None:
    """Return from where to read what changed, or None where everything must be read."""
    ended = connection.sync_runs.filter(state__in=READ_TO_END, created_at__gte=connection.authorised_at)
    if not ended.filter(kind=SyncKind.FULL).exists():
        return None
    last = ended.latest("id")
    return Watermarks(last.people_watermark, last.mailboxes_watermark)


@dataclass(slots=True)
class _Seen:
    """What one listing named: ids, and the newest instant. is_undated: some had none that we can use."""

    ids: set[str] = field(default_factory=set)
    newest: datetime | None = None
    has_nameless: bool = False
    has_gap: bool = False
    is_undated: bool = False


class Reading:
    """One run while it is carried out. Without a lease it is a preview: it writes nothing."""

    def __init__(self, run: SyncRun, *, lease: Lease | None = None, progress: Progress | None = None) -> None:
        self._run = run
        self._lease = lease
        self._progress = progress
        writes = lease is not None
        self._started_at = run.started_at or timezone.now()
        self._mirror = Mirror(run.connection, at=self._started_at, writes=writes)
        self._rejections = Rejections(run, self._mirror, writes=writes)
        self._unknown = Counter[Counted]()
        self._calls_before = run.calls  # of an attempt that had to wait for the allowance
        self._gaps: list[str] = []
        self._held: list[str] = []
        self._skipped: list[str] = []

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Whatever happens inside, the row says how it ended."""
        run = self._run
        try:
            yield
        except LeaseLost:
            raise
        except ConnectionLost as error:
            self._end(RunState.SKIPPED, error.message)
        except Exception as error:
            if is_outage(error):
                self._wait_out(error)
            elif isinstance(error, IntegrationError):
                self._end(RunState.FAILED, f"{error.message} Nothing that was read before is lost.")
            else:
                self._fail(error)
                raise
        else:
            self._end(*self.judge())
        finally:
            if self._progress:
                self._progress(run)

    def judge(self) -> tuple[RunState, str]:
        """Return how a run ends that came to its end, and what a person should know of it."""
        incomplete = [*describe_shares(self._rejections.list_shares()), *self._gaps]
        state = RunState.INCOMPLETE if incomplete else RunState.COMPLETE
        return state, " ".join([*incomplete, *self._held, *self._skipped])

    def read_everything(self) -> None:
        """Teams, people and mailboxes are mirrored, as far as the granted permissions reach."""
        run, connection = self._run, self._run.connection
        marks = None if run.kind == SyncKind.FULL else get_watermarks(connection)
        job = f"sync {run.pk}" if run.pk else "sync preview"
        actor = run.started_by_label if run.started_by_id else ""
        with collect_rarely(), open_session(connection, job=job, actor_label=actor) as session:
            try:
                self._read_listings(session, marks)
            finally:
                self._count_calls(session)

    def _read_listings(self, session: Session, marks: Watermarks | None) -> None:
        run = self._run
        if run.kind == SyncKind.MAILBOXES and marks is not None:
            self._read_mailboxes_alone(session, marks)
            return
        team_sides: TeamSides = {}
        whole: dict[type[MirrorRow], _Seen] = {}
        reads_all = run.kind != SyncKind.PEOPLE or marks is None
        if reads_all:
            self._read_team_sides(session, team_sides)
        else:
            team_sides.update(dict.fromkeys(self._mirror.find_missing(Team, ())))
        if self._may_read("people"):
            seen = self._read_people(session, team_sides, since=marks.people if marks else None)
            run.people_watermark = self._get_watermark(marks.people if marks else None, seen)
            if marks is None:
                whole[Person] = seen
            else:
                self._settle_teams(team_sides, seen)
        if marks is not None:
            run.mailboxes_watermark = marks.mailboxes
        if reads_all and self._may_read("mailboxes"):
            since = marks.mailboxes if marks else None
            seen = self._read_mailboxes(session, since=since)
            if marks is None:
                whole[Mailbox] = seen
            run.mailboxes_watermark = self._get_watermark(since, seen)

        for model, seen in whole.items():
            self._retire(model, seen)

    def _read_mailboxes_alone(self, session: Session, marks: Watermarks) -> None:
        """Every mailbox is mirrored as it is now; teams and people stay as they were read before."""
        run = self._run
        run.people_watermark, run.mailboxes_watermark = marks.people, marks.mailboxes
        if self._may_read("mailboxes"):
            seen = self._read_mailboxes(session, since=None)
            run.mailboxes_watermark = self._get_watermark(marks.mailboxes, seen)
            self._retire(Mailbox, seen)

    def _get_watermark(self, since: datetime | None, seen: _Seen) -> datetime | None:
        """Return from where on changes are to be read next.

        Where instants are missing, or their records were rejected, all that changed before this run began
        has been seen all the same: its beginning counts, by the slower of the two clocks.
        """
        newest = _later(since, seen.newest)
        if seen.has_gap or not seen.is_undated:
            return newest
        ahead = timedelta(seconds=max(self._run.connection.clock_skew_seconds or 0, 0))
        return _later(newest, self._started_at - ahead - UNDATED)

    def _may_read(self, what: str) -> bool:
        scope = get_provider().listing_scopes[what]
        if self._run.connection.has_scope(scope):
            self._run.phase = what
            return True
        why = get_block_reason(self._run.connection, scope)
        self._skipped.append(f"{what.capitalize()} were not read: {why}")
        return False

    def _read_team_sides(self, session: Session, team_sides: TeamSides) -> None:
        """`team_sides` tells every team there is.

        A team that stays, though nothing was told of it now, keeps the members it had: it was
        rejected, its removal is held, or teams may not be read.
        """
        team_sides.clear()
        gone = self._read_teams(session, team_sides) if self._may_read("teams") else ()
        for remote_id in self._mirror.find_missing(Team, team_sides):
            if remote_id not in gone:
                team_sides[remote_id] = None

    def _read_teams(self, session: Session, team_sides: TeamSides) -> Collection[str]:
        """Every team's members are in `team_sides`; returns the ids of the teams that are gone."""

        def put(records: Sequence[TeamRecord]) -> Tally:
            team_sides.update({record.remote_id: record.member_ids for record in records})
            return self._mirror.put_teams(records)

        seen = self._read(session, session.connector.list_teams(), "team", put, "teams_read", is_whole=True)
        return self._retire(Team, seen)

    def _read_people(self, session: Session, team_sides: TeamSides, *, since: datetime | None) -> _Seen:
        def put(records: Sequence[PersonRecord]) -> Tally:
            return self._mirror.put_people(records, team_sides)

        listing = session.connector.list_people(updated_since=_with_overlap(since))
        if self._run.kind == SyncKind.PEOPLE:
            listing = self._ask_teams_where_people_moved(listing, session, team_sides)
        return self._read(session, listing, "person", put, "people_read", is_whole=since is None)

    def _ask_teams_where_people_moved(
        self, listing: Iterator[Page[PersonRecord]], session: Session, team_sides: TeamSides
    ) -> Iterator[Page[PersonRecord]]:
        """Yield the pages; the teams are read before the first with somebody whose teams are not as mirrored.

        A membership has two sides, and one alone would take a person out of teams that only they list.
        """
        knows_teams = False
        for page in listing:
            if not knows_teams and self._mirror.have_moved(page.records):
                self._read_team_sides(session, team_sides)
                self._run.phase = "people"
                knows_teams = True
            yield page

    def _read_mailboxes(self, session: Session, *, since: datetime | None) -> _Seen:
        listing = session.connector.list_mailboxes(updated_since=_with_overlap(since))
        put = self._mirror.put_mailboxes
        return self._read(session, listing, "mailbox", put, "mailboxes_read", is_whole=since is None)

    def _read(
        self,
        session: Session,
        listing: Iterator[Page[Record]],
        kind: str,
        put: Callable[[Sequence[Record]], Tally],
        counter: str,
        *,
        is_whole: bool,
    ) -> _Seen:
        """Every page of one listing is stored as it comes; returns what the listing named.

        is_whole: everything is listed, and not what changed.
        """
        seen = _Seen()
        for page in self._pages(listing, kind, seen):
            with self._storing(session):
                self._rejections.note(
                    KINDS[kind], (record.remote_id for record in page.records), page.unreadable
                )
                self._count(put(page.records))
                setattr(self._run, counter, getattr(self._run, counter) + len(page.records))
        if is_whole and not seen.has_gap:
            with self._storing(None):
                self._rejections.end_listing(KINDS[kind], seen.ids)
        return seen

    def _pages(self, listing: Iterable[Page[Record]], kind: str, seen: _Seen) -> Iterator[Page[Record]]:
        """Yield each page of one listing, noting what it named and what was not told or did not fit."""
        is_complete = False
        for page in listing:
            is_complete, seen.has_gap = page.is_last, seen.has_gap or page.has_gap
            seen.ids.update(record.remote_id for record in page.records)
            instants = [getattr(record, "updated_at", None) for record in page.records]
            seen.newest = _later(seen.newest, max(filter(None, instants), default=None))
            seen.is_undated |= bool(page.unreadable) or None in instants
            for unreadable in page.unreadable:
                seen.ids.add(unreadable.remote_id)
                seen.has_nameless |= not unreadable.remote_id
            self._run.rejected += len(page.unreadable)
            if page.unknown:
                add_page(self._unknown, kind, page.unknown)
                self._run.unknown_values = as_json(self._unknown)
            yield page
        if seen.has_gap:
            seen.newest = None  # what lies in the gap is asked for again, however old its change is
            self._gaps.append(
                f"Outreach did not answer with every {kind}, nor tell which are missing. "
                "It is asked again with the next sync; tell the operator if it stays."
            )
        if not is_complete:
            raise AssertionError(f"The listing of {kind} ended without its last page.")

    def _settle_teams(self, team_sides: TeamSides, seen: _Seen) -> None:
        if team_sides:
            with self._storing(None):
                self._count(self._mirror.put_team_sides(team_sides, except_people=seen.ids))

    @contextmanager
    def _storing(self, session: Session | None) -> Iterator[None]:
        """Rows, counters and the renewed lease are committed together, or not at all."""
        run = self._run
        with transaction.atomic():
            yield
            if session is not None:
                self._count_calls(session)
            if self._lease is not None:
                self._lease.renew(**{column: getattr(run, column) for column in STORED})
        if session is not None:
            session.flush()
        if self._progress:
            self._progress(run)

    def _retire(self, model: type[MirrorRow], seen: _Seen) -> Collection[str]:
        """Rows that the complete listing did not name are retired, unless suspiciously many are missing.

        Returns the ids of those retired.
        """
        if seen.has_nameless:
            self._held.append(f"No {model._meta.verbose_name} was removed, as a record came without its id.")
            return ()
        missing = self._mirror.find_missing(model, seen.ids)
        if not missing or self._rejections.are_many:
            return ()
        live = self._mirror.count_live(model)
        is_many = len(missing) > HOLD_ABOVE_ROWS and len(missing) * 100 > live * HOLD_ABOVE_PERCENT
        is_empty = not seen.ids and live > 1
        if (is_many or is_empty) and not self._run.confirms_removals:
            self._run.held_removals += len(missing)
            self._held.append(
                f"Outreach no longer lists {len(missing)} of {live} {model._meta.verbose_name_plural}. "
                "That is unusually many, so none was removed here until you confirm it."
            )
            return ()
        with self._storing(None):
            self._count(self._mirror.retire(model, missing))
        return set(missing)

    def _count_calls(self, session: Session) -> None:
        self._run.calls = self._calls_before + session.calls.left

    def _count(self, tally: Tally) -> None:
        self._run.added += tally.added
        self._run.changed += tally.changed
        self._run.retired += tally.retired

    def _wait_out(self, outage: Exception) -> None:
        """The run waits, longer each time; where the database is away its lease lapses, and the sweep begins anew."""
        run = self._run
        logger.warning("Sync %s waits: %s", run.pk, explain_outage(outage))
        close_old_connections()
        pause = get_pause(run.waits + 1, outage)
        if isinstance(outage, RateLimited) and run.waits:
            # What a limit says is believed the first time; one that comes again and again is knocked at less.
            pause = max(pause, get_pause(run.waits))
        run.waits = min(run.waits + 1, MOST_COUNTED)
        try:
            self._end(RunState.WAITING, say_outage(outage), resume_at=timezone.now() + pause)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("Sync %s begins anew when its lease lapses: %s", run.pk, explain_outage(error))

    def _fail(self, fault: Exception) -> None:
        """A fault of ours ended the run; which and where is in the run, the ledger and the log."""
        run, job = self._run, f"sync {self._run.pk}"
        with transaction.atomic():
            self._end(RunState.FAILED, say_fault(fault, job=job))
            record_fault(fault, connection=run.connection, job=job)

    def _end(self, state: RunState, cause: str, *, resume_at: datetime | None = None) -> None:
        run = self._run
        run.state, run.cause, run.resume_at, run.lease_until = state, cause, resume_at, None
        run.finished_at = None if state == RunState.WAITING else timezone.now()
        if self._lease is not None:
            with suppress(LeaseLost):  # somebody else says by now how it ended
                self._lease.release(**{column: getattr(run, column) for column in (*STORED, *AT_END)})


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later instant, or now where that lies in the future: what changes until then would be missed."""
    latest = max((instant for instant in (one, other) if instant), default=None)
    return latest and min(latest, timezone.now())


def _with_overlap(since: datetime | None) -> datetime | None:
    return since and since - OVERLAP
