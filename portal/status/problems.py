"""Problems: what needs an operator, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from integrations.models import Audience, ConnectionState, Notice, NoticeKind
from integrations.notices.connection_troubles import list_installation_troubles

if TYPE_CHECKING:
    from .collect import Status

QUEUE_LATE_SECONDS = 600
_SCHEDULE_TROUBLES = {"late": "is late", "failed": "failed when it last ran", "missing": "is missing"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs an operator. kind: one word; remedy: what to do."""

    kind: str
    sentence: str
    remedy: str


def list_problems(status: Status) -> Iterator[Problem]:
    """Yield what needs an operator in this state of the installation."""
    yield from _list_worker_problems(status)
    yield from _list_schedule_problems(status)
    for run in status.runs:
        if run.is_stuck:
            yield Problem(
                "Stuck",
                f"{run.title} of {run.domain} is due and no worker is at it. Nothing is lost.",
                "Queue what is due again on this page, or: python manage.py status --requeue",
            )
    for each in status.connections:
        if each.state == ConnectionState.MISCONFIGURED.label:
            yield Problem(
                "Outreach",
                f"{NoticeKind.MISCONFIGURED.label}: {each.domain}.",
                "Correct OUTREACH_CLIENT_ID or OUTREACH_CLIENT_SECRET and restart; “Check the connection” on the "
                "domain’s Outreach page then resumes syncs and deliveries.",
            )
    yield from _list_told(status.notices)
    if status.versions.migrations_pending:
        number = len(status.versions.migrations_pending)
        yield Problem("Database", f"Migrations pending: {number}.", "Run: python manage.py migrate")
    if status.versions.checks:
        names = ", ".join(check.partition(":")[0] for check in status.versions.checks)
        yield Problem("Settings", f"Deployment checks find: {names}.", "Run: python manage.py check --deploy")


def _list_worker_problems(status: Status) -> Iterator[Problem]:
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
    if oldest is not None and oldest > QUEUE_LATE_SECONDS:
        yield Problem(
            "Queue",
            f"The oldest background task has waited for {_say_age(oldest)}.",
            "Start another worker, or raise WORKERS (of syncs and deliveries: LONG_WORKERS).",
        )


def _list_schedule_problems(status: Status) -> Iterator[Problem]:
    for schedule in status.schedules:
        if schedule.state in _SCHEDULE_TROUBLES:
            yield Problem(
                "Schedule",
                f"“{schedule.name}” {_SCHEDULE_TROUBLES[schedule.state]}.",
                "Run: python manage.py setupschedules"
                if schedule.state == "missing"
                else "See the failed tasks in Django admin, and whether a worker is alive.",
            )


def _list_told(notices: Iterable[Notice]) -> Iterator[Problem]:
    """Yield what operators are told of and is still so; workers that are gone are named already.

    What no open notice tells is not looked for: that takes a query each, and “send alerts” has looked.
    """
    told = {
        notice.kind for notice in notices if notice.ended_at is None and notice.audience == Audience.STAFF
    }
    told.discard(NoticeKind.WORKER)
    for trouble in list_installation_troubles(told):
        yield Problem(NoticeKind(trouble.kind).name.capitalize(), trouble.sentence, trouble.what_to_do)


def _say_age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
