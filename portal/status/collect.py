"""Collected status: workers, queue, schedules, runs, connections, versions and checks, and what needs an operator."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import django
from django.core.checks import run_checks
from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from integrations.connection.health import describe_call_use
from integrations.models import UNFINISHED, Connection, ConnectionState, SyncRun
from portal.operations.readiness import list_pending_migrations
from portal.retention.estimates import Going, list_going
from portal.worker.machines import MachineState, list_machines
from portal.worker.schedules import SCHEDULES
from signatures.models import UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState

from .database import DatabaseSize, measure_database

LATE_AFTER = timedelta(minutes=10)
QUEUE_LATE_AFTER = timedelta(minutes=10)
STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs an operator. kind: one word; remedy: what to do."""

    kind: str
    sentence: str
    remedy: str


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
class RunInProgress:
    """A sync or delivery that is not over. kind: as metrics name it.

    overdue_seconds: how long it is due without a process that holds it; 0 where it is not due, or waits for a person.
    is_stuck: that is longer than five minutes.
    """

    title: str
    domain: str
    kind: str
    state: str
    started_at: datetime | None
    progress: str
    url: str
    overdue_seconds: int
    is_stuck: bool


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection. used, limit: calls of this hour; refreshed_at: when its tokens were last renewed."""

    domain: str
    state: str
    used: int
    limit: int
    refreshed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Versions:
    django: str
    python: str
    migrations_pending: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The whole installation at one moment."""

    at: datetime
    machines: list[MachineState]
    queue: Queue
    schedules: list[ScheduleState]
    runs: list[RunInProgress]
    connections: list[ConnectionStatus]
    versions: Versions
    database: DatabaseSize
    retention: list[Going]
    problems: list[Problem]

    @property
    def is_well(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; times in ISO 8601."""
        plain = asdict(self)
        for machine, state in zip(plain["machines"], self.machines, strict=True):
            machine["is_alive"] = state.is_alive
        return {"well": self.is_well, **plain}


def collect_status() -> Status:
    """Return the state of the installation. Raises: the database's errors, where it does not answer."""
    now = timezone.now()
    machines, queue, schedules = list_machines(), count_queue(now), list_schedules(now)
    runs, versions = list_runs(now), get_versions()
    database = measure_database()
    going = list_going({table.name: table.row_bytes for table in database.tables if table.rows})
    found = Status(
        now, machines, queue, schedules, runs, list_connections(), versions, database, going, problems=[]
    )
    found.problems.extend(_list_problems(found))
    return found


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
    """Return every schedule of the portal with its last run."""
    rows = {row.name: row for row in Schedule.objects.filter(name__in=[one.name for one in SCHEDULES])}
    tasks = Task.objects.in_bulk([row.task for row in rows.values() if row.task])
    return [_describe_schedule(one.name, rows.get(one.name), tasks, now) for one in SCHEDULES]


def _describe_schedule(
    name: str, row: Schedule | None, tasks: dict[str, Task], now: datetime
) -> ScheduleState:
    if row is None:
        return ScheduleState(name, "missing", None, None, None)
    task = tasks.get(row.task or "")
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


def _measure_overdue(run: SyncRun | DeliveryRun, queued_at: datetime | None, now: datetime) -> timedelta:
    due = max(at for at in (queued_at, run.resume_at, run.lease_until, run.created_at) if at is not None)
    return max(now - due, timedelta())


def list_runs(now: datetime) -> list[RunInProgress]:
    """Return every sync, delivery and restore that is not over, the oldest of each first."""
    return [*_list_syncs(now), *_list_deliveries(now)]


def _list_syncs(now: datetime) -> Iterator[RunInProgress]:
    rows = SyncRun.objects.filter(state__in=UNFINISHED).select_related("connection__domain")
    for run in rows.order_by("created_at"):
        domain = run.connection.domain.name
        read = f"{run.people_read:,} people and {run.mailboxes_read:,} mailboxes read"
        overdue = _measure_overdue(run, None, now)
        yield RunInProgress(
            str(run.get_kind_display()),
            domain,
            f"sync_{run.kind}",
            str(run.get_state_display()),
            run.started_at or run.created_at,
            read,
            reverse("integrations:run", args=[domain, run.pk]),
            round(overdue.total_seconds()),
            overdue > STUCK_AFTER,
        )


def _list_deliveries(now: datetime) -> Iterator[RunInProgress]:
    rows = DeliveryRun.objects.filter(state__in=UNFINISHED_DELIVERY).select_related("domain", "connection")
    for run in rows.order_by("created_at"):
        waits_for_person = run.held_at is not None or (
            run.state == DeliveryRunState.WAITING and run.connection.paused_at is not None
        )
        overdue = timedelta() if waits_for_person else _measure_overdue(run, run.queued_at, now)
        yield RunInProgress(
            run.job_label.capitalize(),
            run.domain.name,
            run.job_label.split()[0],
            str(run.get_state_display()),
            run.started_at or run.created_at,
            f"{run.settled:,} of {run.planned:,} mailboxes",
            reverse("signatures:delivery_run", args=[run.domain.name, run.pk]),
            round(overdue.total_seconds()),
            overdue > STUCK_AFTER,
        )


def list_connections() -> list[ConnectionStatus]:
    """Return every connection that is not ended, with its calls of this hour."""
    rows = Connection.objects.exclude(state=ConnectionState.DISCONNECTED).select_related("domain", "budget")
    found = []
    for row in rows.order_by("domain__name"):
        use = describe_call_use(getattr(row, "budget", None), at=timezone.now())
        state = str(row.get_state_display())
        found.append(ConnectionStatus(row.domain.name, state, use.used, use.limit, row.refreshed_at))
    return found


def get_versions() -> Versions:
    """Return the versions of this process, pending migrations and the messages of the deployment checks."""
    checks = run_checks(tags=["security"], include_deployment_checks=True)
    return Versions(
        django.get_version(),
        platform.python_version(),
        tuple(f"{app}.{name}" for app, name in list_pending_migrations()),
        tuple(f"{each.id}: {each.msg}" for each in checks),
    )


_SCHEDULE_TROUBLES = {"late": "is late", "failed": "failed when it last ran", "missing": "is missing"}


def _list_problems(status: Status) -> Iterator[Problem]:
    has_worker = any(machine.is_alive for machine in status.machines)
    if not has_worker:
        yield Problem(
            "Worker", "No background worker was seen lately.", "Start one: python manage.py serve --no-web"
        )
    for machine in status.machines:
        if not machine.is_alive:
            yield Problem(
                "Worker",
                f"The worker on {machine.name} (process {machine.process}) has not been seen for "
                f"{_say_age(machine.age_seconds)}."
                + (" Others take over what it did." if has_worker else " Nobody takes over what it did."),
                "Check the machine and start it again, or remove it from this list.",
            )
    oldest = status.queue.oldest_seconds
    if oldest is not None and oldest > QUEUE_LATE_AFTER.total_seconds():
        yield Problem(
            "Queue",
            f"The oldest background task has waited for {_say_age(oldest)}.",
            "Start another worker, or raise WORKERS (of syncs and deliveries: LONG_WORKERS).",
        )
    for schedule in status.schedules:
        if schedule.state in _SCHEDULE_TROUBLES:
            yield Problem(
                "Schedule",
                f"“{schedule.name}” {_SCHEDULE_TROUBLES[schedule.state]}.",
                "Run: python manage.py setupschedules"
                if schedule.state == "missing"
                else "See the failed tasks in Django admin, and whether a worker is alive.",
            )
    for run in status.runs:
        if run.is_stuck:
            yield Problem(
                "Stuck",
                f"{run.title} of {run.domain} is due and no worker is at it. Nothing is lost.",
                "Queue what is due again on this page, or: python manage.py status --requeue",
            )
    if status.versions.migrations_pending:
        number = len(status.versions.migrations_pending)
        yield Problem("Database", f"Migrations pending: {number}.", "Run: python manage.py migrate")
    if status.versions.checks:
        names = ", ".join(check.partition(":")[0] for check in status.versions.checks)
        yield Problem("Settings", f"Deployment checks find: {names}.", "Run: python manage.py check --deploy")


def _say_age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
