"""Heartbeat: tells whether the background worker is alive, by a canary task that it finishes every minute.

A cluster whose idle worker was killed keeps its processes and takes no task any more, so only a
finished task proves life, or a task that a living worker is still at: its supervisor beats for it.
The database's clock says when a beat was and how old it is, so the clocks of web and worker may differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.models import WorkerHeartbeat

FUTURE_SECONDS = 5  # a beat further ahead than this was written by a clock that differs


@dataclass(frozen=True, slots=True)
class Worker:
    """beat_at and age_seconds: None before the first heartbeat. beat_at is by this process's clock."""

    beat_at: datetime | None
    age_seconds: float | None
    is_alive: bool
    clocks_differ: bool


def record_beat(*, at: datetime | None = None) -> None:
    """Record that a worker finished a task at `at`; None: now, by the database's clock."""
    WorkerHeartbeat.objects.update_or_create(id=WorkerHeartbeat.SOLE_ID, defaults={"beat_at": at or Now()})


def get_worker() -> Worker:
    """Return when a worker was last seen, and whether that is recent and not in the future."""
    return describe_beat(*(list_beats().values_list("beat_at", Now()).first() or (None, None)))


def list_beats() -> QuerySet[WorkerHeartbeat]:
    """Return the last heartbeat; none or one."""
    return WorkerHeartbeat.objects.filter(id=WorkerHeartbeat.SOLE_ID)


def describe_beat(beat_at: datetime | None, now: datetime | None) -> Worker:
    """Return what a heartbeat says at `now`; both by the database's clock, None where there was none."""
    if beat_at is None or now is None:
        return Worker(beat_at=None, age_seconds=None, is_alive=False, clocks_differ=False)
    age = (now - beat_at).total_seconds()
    return Worker(
        beat_at=timezone.now() - timedelta(seconds=age),
        age_seconds=age,
        is_alive=-FUTURE_SECONDS <= age <= settings.HEARTBEAT_GRACE_SECONDS,
        clocks_differ=age < -FUTURE_SECONDS,
    )
