"""Collected status: workers, queue, schedules, runs, connections, versions, checks, and what needs an operator."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import django
from django.core.checks import run_checks
from django.db.models import Count, F, Min, OuterRef, Q, Subquery
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from integrations.connection.health import describe_call_use, get_year_uses
from integrations.models import OPERATORS, Connection, ConnectionState, Notice
from portal import __version__
from portal.operations.readiness import list_pending_migrations
from portal.retention.estimates import Going, list_going
from portal.worker.machines import MachineState, list_machines
from portal.worker.schedules import SCHEDULES

from .database import DatabaseSize, measure_database
from .problems import Problem, list_problems
from .runs_in_progress import RunInProgress, list_runs

LATE_AFTER = timedelta(minutes=10)
NOTICES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Queue:
    """waiting: tasks that no worker took; taken: those a worker holds. oldest_seconds: how long the first waits."""

    waiting: int
    taken: int
    oldest_seconds: int | None


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """One schedule. state: complete, failed, not run yet, late or off; took_seconds: of its last run."""

    name: str
    state: str
    last_at: datetime | None
    took_seconds: float | None
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection. used, limit: calls of this hour; refreshed_at: when its tokens were last renewed.

    used_this_year: the domain's calls of the calendar year in its zone, of the 250,000 of Outreach's smallest plan.

    blocked_until: Outreach takes no call until then; None where it does.
    """

    domain: str
    state: str
    used: int
    limit: int
    used_this_year: int
    blocked_until: datetime | None
    refreshed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Versions:
    countersign: str
    django: str
    python: str
    migrations_pending: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The whole installation at one moment. notices: to operators, open ones first, and the newest of the others."""

    at: datetime
    machines: list[MachineState]
    queue: Queue
    schedules: list[ScheduleState]
    runs: list[RunInProgress]
    connections: list[ConnectionStatus]
    versions: Versions
    database: DatabaseSize
    retention: list[Going]
    notices: list[Notice]
    problems: list[Problem]

    @property
    def is_well(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, without the notices; times in ISO 8601."""
        plain = asdict(replace(self, notices=[]))
        del plain["notices"]
        for machine, state in zip(plain["machines"], self.machines, strict=True):
            machine["is_alive"] = state.is_alive
        return {"well": self.is_well, **plain}


def collect_status() -> Status:
    """Return the state of the installation. Raises: the database's errors, where it does not answer."""
    now = timezone.now()
    open_connections, database = list_open_connections(), measure_database()
    found = Status(
        now,
        list_machines(),
        count_queue(now),
        list_schedules(now),
        list_runs(now, open_connections),
        describe_connections(open_connections, now),
        get_versions(),
        database,
        list_going({table.name: table.row_bytes for table in database.tables if table.rows}),
        _list_notices(),
        problems=[],
    )
    found.problems.extend(list_problems(found))
    return found


def _list_notices() -> list[Notice]:
    theirs = Notice.objects.filter(audience__in=OPERATORS)
    return list(theirs.order_by(F("ended_at").desc(nulls_first=True), "-pk")[:NOTICES_SHOWN])


def count_queue(now: datetime, *queues: str) -> Queue:
    """Return how many background tasks wait and how many are taken, in these queues or in all."""
    tasks = OrmQ.objects.filter(key__in=queues) if queues else OrmQ.objects.all()
    waits, is_taken = Q(lock__lte=now), Q(lock__gt=now)
    found = tasks.aggregate(
        waiting=Count("pk", filter=waits),
        taken=Count("pk", filter=is_taken),
        oldest=Min("lock", filter=waits),
    )
    oldest = found["oldest"]
    seconds = None if oldest is None else round((now - oldest).total_seconds())
    return Queue(found["waiting"], found["taken"], seconds)


def list_schedules(now: datetime) -> list[ScheduleState]:
    """Return every schedule of the portal with its last run that ended."""
    rows = {row.name: row for row in Schedule.objects.filter(name__in=[one.name for one in SCHEDULES])}
    ended = _list_last_runs(list(rows.values()))
    return [_describe_schedule(one.name, rows.get(one.name), ended.get(one.name), now) for one in SCHEDULES]


def _list_last_runs(rows: Sequence[Schedule]) -> dict[str, Task]:
    """Return by a schedule's name the last of its tasks that ended.

    A schedule names the task that it queued last. Where that one waits or runs, the one before is looked for.
    """
    tasks = Task.objects.in_bulk([row.task for row in rows if row.task])
    found = {row.name: tasks[row.task] for row in rows if row.task in tasks}
    begun = [row.name for row in rows if row.task and row.name not in found]
    if begun:
        theirs = Task.objects.filter(group=OuterRef("name")).order_by("-stopped").values("pk")
        last = Schedule.objects.filter(name__in=begun).values(last=Subquery(theirs[:1]))
        found |= {task.group: task for task in Task.objects.filter(pk__in=last)}
    return found


def _describe_schedule(name: str, row: Schedule | None, task: Task | None, now: datetime) -> ScheduleState:
    if row is None:
        return ScheduleState(name, "missing", None, None, None)
    if row.repeats == 0:
        state = "off"
    elif row.next_run < now - LATE_AFTER:
        state = "late"
    elif task is None:
        state = "not run yet"
    else:
        state = "complete" if task.success else "failed"
    return ScheduleState(
        name,
        state,
        task.stopped if task else None,
        (task.stopped - task.started).total_seconds() if task else None,
        None if row.repeats == 0 else row.next_run,
    )


def list_open_connections() -> list[Connection]:
    """Return every connection that is not ended, with its domain and calls."""
    rows = Connection.objects.exclude(state=ConnectionState.DISCONNECTED)
    return list(rows.select_related("domain", "budget").order_by("domain__name"))


def describe_connections(rows: Sequence[Connection], now: datetime) -> list[ConnectionStatus]:
    """Return what an operator needs to know of these connections, with their calls of this hour and year."""
    years = get_year_uses({row.domain for row in rows}, at=now)
    found = []
    for row in rows:
        use = describe_call_use(getattr(row, "budget", None), at=now)
        found.append(
            ConnectionStatus(
                row.domain.name,
                str(row.get_state_display()),
                use.used,
                use.limit,
                years[row.domain_id].used,
                use.blocked_until,
                row.refreshed_at,
            )
        )
    return found


def get_versions() -> Versions:
    """Return the versions of this process, pending migrations and the messages of the deployment checks."""
    checks = run_checks(include_deployment_checks=True)
    return Versions(
        __version__,
        django.get_version(),
        platform.python_version(),
        tuple(f"{app}.{name}" for app, name in list_pending_migrations()),
        tuple(f"{each.id}: {each.msg}" for each in checks),
    )
