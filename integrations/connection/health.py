"""Health: the state of a connection, who must act, and its figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Min, Q, Sum

from integrations.catalogue import get_provider
from integrations.models import (
    READ_TO_END,
    CallBudget,
    Connection,
    ConnectionState,
    LedgerDay,
    Mode,
    Notice,
    Outcome,
    RunState,
    SyncKind,
    SyncRun,
)
from portal.models import Domain

from .permissions import get_block_reason

MOST_SKEW_SECONDS = 60
LAPSES_SOON = timedelta(days=3)
SMALLEST_PLAN, LARGEST_PLAN = 250_000, 1_000_000  # calls a year that Outreach's plans include


@dataclass(frozen=True, slots=True)
class Condition:
    """key: a word for choosing what a page shows; label: the badge; sentence: what it means, and who must act."""

    key: str
    label: str
    sentence: str


NEVER = Condition(
    "never", "Not connected", "No data is read from Outreach or written to it. An owner or admin can connect."
)


def describe(connection: Connection | None) -> Condition:
    """Return the one condition that matters most; a page tells the lesser ones beside it."""
    if connection is None:
        return NEVER
    if connection.state != ConnectionState.ACTIVE:
        return _describe_trouble(connection)
    if connection.is_limited:
        return Condition(
            "limited",
            "Limited",
            "Outreach granted fewer scopes than requested. What is listed here is unavailable until you reconnect.",
        )
    if connection.scopes_blocked:
        return Condition(
            "switched_off",
            "Partly switched off",
            "A scope is switched off in this portal. What depends on it is unavailable until it is switched on.",
        )
    if connection.paused_at:
        return Condition(
            "paused", "Paused", "Outreach is still read. No signature is written until writing is resumed."
        )
    if connection.mode == Mode.DRY_RUN:
        return Condition(
            "dry_run",
            "Dry run",
            "Outreach is read and deliveries are planned. Nothing is written until the mode is live.",
        )
    return Condition("connected", "Connected", "Syncs and deliveries work.")


def _describe_trouble(connection: Connection) -> Condition:
    reason = connection.state_reason
    if connection.state == ConnectionState.LOST:
        return Condition(
            "lost",
            "Revoked in Outreach",
            reason or "Outreach no longer accepts our access. Reconnect; all settings are kept.",
        )
    if connection.state == ConnectionState.MISCONFIGURED:
        return Condition(
            "misconfigured",
            "Configuration error",
            reason or "Outreach rejects this portal’s client ID and secret. The operator must correct them.",
        )
    if connection.state == ConnectionState.DISCONNECTING:
        return Condition("disconnecting", "Disconnecting", "The connection is being closed, step by step.")
    return Condition(
        "disconnected",
        "Disconnected",
        reason or "This portal has no token for Outreach any more and sends no request.",
    )


@dataclass(frozen=True, slots=True)
class CallUse:
    """This hour's calls of one connection. blocked_until: set while Outreach asked us to wait."""

    used: int
    limit: int
    blocked_until: datetime | None


def get_call_use(connection: Connection | None, *, at: datetime) -> CallUse:
    """Return how much of the hourly allowance is used at `at`; nothing of it where no window runs."""
    return describe_call_use(
        CallBudget.objects.filter(connection=connection).first() if connection else None, at=at
    )


def describe_call_use(row: CallBudget | None, *, at: datetime) -> CallUse:
    """Return the same from its row; None before the first call."""
    if row is None:
        return CallUse(0, settings.OUTREACH_HOURLY_CALLS, None)
    is_running = row.window_ends_at is not None and row.window_ends_at > at
    is_blocked = row.blocked_until is not None and row.blocked_until > at
    return CallUse(row.used if is_running else 0, row.limit, row.blocked_until if is_blocked else None)


@dataclass(frozen=True, slots=True)
class YearUse:
    """This calendar year's calls of a domain. pace: a whole year at this rate; None before the first day is over."""

    year: int
    used: int
    pace: int | None

    @property
    def is_high(self) -> bool:
        """Whether the smallest of Outreach's plans would not last the year."""
        return self.pace is not None and self.pace > SMALLEST_PLAN


def get_year_use(domain: Domain, *, at: datetime) -> YearUse:
    """Return what the ledger counts for the year of `at`, in the domain's zone; pruning takes nothing from it."""
    return get_year_uses([domain], at=at)[domain.pk]


def get_year_uses(domains: Iterable[Domain], *, at: datetime) -> dict[int, YearUse]:
    """Return the same of many domains, by id: one query, and one more while it is New Year between their zones."""
    starts = {domain.pk: _get_year_start(domain, at) for domain in domains}
    sums: dict[int, tuple[int, datetime | None]] = {}
    has_left = Q(action="call") & ~Q(outcome=Outcome.REFUSED)
    for first_day in {start.date() for start in starts.values()}:
        chains = [pk for pk, start in starts.items() if start.date() == first_day]
        days = LedgerDay.objects.filter(chain__in=chains, day__gte=first_day).order_by().values_list("chain")
        found = days.annotate(used=Sum("calls", filter=has_left, default=0), began=Min("first_at"))
        sums |= {chain: (used, began) for chain, used, began in found}
    return {pk: _describe_year(start, *sums.get(pk, (0, None)), at=at) for pk, start in starts.items()}


def _get_year_start(domain: Domain, at: datetime) -> datetime:
    local = at.astimezone(ZoneInfo(domain.time_zone))
    return local.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _describe_year(start: datetime, used: int, began: datetime | None, *, at: datetime) -> YearUse:
    elapsed = at - max(began or at, start)
    pace = round(used * (timedelta(days=365) / elapsed)) if elapsed >= timedelta(days=1) else None
    return YearUse(start.year, used, pace)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The last call that Outreach answered with 403 for one of its two causes. code: by Outreach's name."""

    code: str
    title: str
    at: datetime
    call: str
    job: str
    what_to_do: str


_CAUSES = {
    "scope": (
        "The scope was not granted",
        "Reconnect and allow {scope}. The account’s own permissions are not the cause.",
    ),
    "account": (
        "The connected account has no permission",
        "The scope {scope} is granted. Extend the account’s governance profile in Outreach, "
        "or reconnect as an Outreach admin.",
    ),
}


def list_forbidden(connection: Connection) -> list[Forbidden]:
    """Return the last 403 of each cause since the present authorisation, newest first."""
    found = []
    for cause, (title, advice) in _CAUSES.items():
        note = connection.forbidden.get(cause)
        if note is None:
            continue
        of = f" of {note['object']}" if note["object"] else ""
        found.append(
            Forbidden(
                get_provider().forbidden_codes[cause],
                title,
                datetime.fromisoformat(note["at"]),
                f"{note['method']} {note['endpoint']}{of}",
                note["job"],
                advice.format(scope=note["scope"]),
            )
        )
    return sorted(found, key=lambda each: each.at, reverse=True)


@dataclass(frozen=True, slots=True)
class Clock:
    """How far our clock is from Outreach's, in whole seconds, as last compared."""

    seconds: int
    compared_at: datetime

    @property
    def is_off(self) -> bool:
        return abs(self.seconds) > MOST_SKEW_SECONDS

    @property
    def words(self) -> str:
        if abs(self.seconds) < 2:  # the reply's own clock is told in whole seconds
            return "the same as Outreach’s"
        return f"{abs(self.seconds):,} s {'ahead of' if self.seconds > 0 else 'behind'} Outreach’s"


def get_clock(connection: Connection) -> Clock | None:
    """Return the last comparison of the clocks, or None before there was one."""
    if connection.clock_skew_seconds is None or connection.clock_compared_at is None:
        return None
    return Clock(connection.clock_skew_seconds, connection.clock_compared_at)


@dataclass(frozen=True, slots=True)
class Facts:
    """The figures of one connection's page. lapses_at: when Outreach drops our access if nobody renews it."""

    calls: CallUse
    year: YearUse
    clock: Clock | None
    forbidden: list[Forbidden]
    told: list[Notice]
    current_run: SyncRun | None
    last_run: SyncRun | None
    has_synced: bool
    lapses_at: datetime | None
    lapses_in: str
    lapses_soon: bool


_RENEWED = (ConnectionState.ACTIVE, ConnectionState.MISCONFIGURED)


def get_facts(connection: Connection, *, at: datetime) -> Facts:
    """Return what the page of a connection shows beside its state."""
    runs = list(connection.sync_runs.all()[:1])
    newest = runs[0] if runs else None
    finished = newest if newest and newest.is_finished else _get_last_finished(connection)
    lapses_at = connection.refresh_lapses_at if connection.state in _RENEWED else None
    return Facts(
        calls=get_call_use(connection, at=at),
        year=get_year_use(connection.domain, at=at),
        clock=get_clock(connection),
        forbidden=list_forbidden(connection),
        told=list(connection.notices.filter(ended_at=None).exclude(sent_at=None)),
        current_run=newest if newest and not newest.is_finished else None,
        last_run=finished,
        has_synced=get_synced_at(connection) is not None,
        lapses_at=lapses_at,
        lapses_in=_say_span(lapses_at - at) if lapses_at else "",
        lapses_soon=lapses_at is not None and lapses_at - at < LAPSES_SOON,
    )


def _say_span(span: timedelta) -> str:
    """Return whole days, or hours on the last day: '13 days', '1 hour'."""
    hours = max(int(span.total_seconds() // 3600), 0)
    count, unit = (hours // 24, "day") if hours >= 24 else (hours, "hour")
    return f"{count} {unit}{'' if count == 1 else 's'}"


def get_failed_run(runs: Sequence[SyncRun]) -> SyncRun | None:
    """Return the newest ended run where that one failed; an earlier failure is made good by what followed.

    runs: newest first.
    """
    ended = next((run for run in runs if run.is_finished), None)
    return ended if ended and ended.state == RunState.FAILED else None


def list_ended(connection: Connection | None, recent: Sequence[SyncRun] = ()) -> list[SyncRun]:
    """Return the newest run that read to the end, and behind it the newest that read everything, if another.

    recent: the newest runs, newest first, where they were read already.
    """
    if connection is None:
        return []
    ended = connection.sync_runs.filter(state__in=READ_TO_END)
    known = [run for run in recent if run.state in READ_TO_END]
    newest = known[0] if known else ended.first()
    if newest is None or newest.kind == SyncKind.FULL:
        return [newest] if newest else []
    full = [run for run in known if run.kind == SyncKind.FULL] or ended.filter(kind=SyncKind.FULL)
    return [newest, *full[:1]]


def get_incomplete_run(connection: Connection | None) -> SyncRun | None:
    """Return the newest run that read to the end, where too many of its records were rejected."""
    return find_incomplete(list_ended(connection))


def find_incomplete(ended: Sequence[SyncRun]) -> SyncRun | None:
    """Return the newest of these runs, where too many of its records were rejected."""
    return ended[0] if ended and ended[0].state == RunState.INCOMPLETE else None


def find_unknown(ended: Sequence[SyncRun]) -> SyncRun | None:
    """Return the newest of these runs in which something was not told, or None."""
    return next((run for run in ended if run.unknown_values), None)


def get_synced_at(connection: Connection | None) -> datetime | None:
    """Return when the directory was last read to its end; None where it never was."""
    if connection is None:
        return None
    ended = connection.sync_runs.filter(state__in=READ_TO_END)
    return ended.values_list("finished_at", flat=True).first()


def _get_last_finished(connection: Connection) -> SyncRun | None:
    return connection.sync_runs.exclude(finished_at=None).first()


def get_restore_block_reason(connection: Connection) -> str:
    """Return why the originals cannot be restored now, or '' where they can; a pause does not prevent it."""
    if connection.state == ConnectionState.LOST:
        return "Outreach no longer accepts our access. Reconnect first, or download the originals and disconnect."
    if connection.state == ConnectionState.MISCONFIGURED:
        return "Outreach rejects this portal’s client ID and secret. The operator must correct them first."
    return get_block_reason(connection, get_provider().listing_scopes["mailboxes"])
