"""Heartbeat: tells for each queue whether workers are alive, by a canary task that they finish every few seconds.

A cluster whose idle worker was killed keeps its processes and takes no task any more, so only a
finished task proves life, or a task that a living worker is still at: its supervisor beats for it.
The database's clock says when a beat was and how old it is, so the clocks of web and worker may differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from portal.background import LONG, SHORT
from portal.models import WorkerHeartbeat

FUTURE_SECONDS = 5  # a beat further ahead than this was written by a clock that differs

_ROWS = {SHORT: WorkerHeartbeat.SHORT_ID, LONG: WorkerHeartbeat.LONG_ID}


@dataclass(frozen=True, slots=True)
class Worker:
    """beat_at and age_seconds: None before the first heartbeat. beat_at is by this process's clock."""

    beat_at: datetime | None
    age_seconds: float | None
    is_alive: bool
    clocks_differ: bool


def record_beat(queue: str = SHORT, *, at: datetime | None = None) -> None:
    """Record that a worker of this queue finished a task at `at`; None: now, by the database's clock."""
    WorkerHeartbeat.objects.update_or_create(id=_ROWS[queue], defaults={"beat_at": at or Now()})


def may_sweep() -> bool:
    """Return whether what dead processes left is to be looked for now, and note that: one machine at a time does."""
    row, _ = WorkerHeartbeat.objects.get_or_create(id=WorkerHeartbeat.SWEEP_ID)
    due = Q(asked_at=None) | Q(asked_at__lte=Now() - timedelta(seconds=settings.SWEEP_SECONDS))
    return WorkerHeartbeat.objects.filter(due, pk=row.pk).update(asked_at=Now()) == 1


def get_worker(queue: str = SHORT) -> Worker:
    """Return when a worker of this queue was last seen, and whether that is recent and not in the future."""
    return describe_beat(*(list_beats(queue).values_list("beat_at", Now()).first() or (None, None)))


def list_beats(queue: str = SHORT) -> QuerySet[WorkerHeartbeat]:
    """Return the last heartbeat of this queue; none or one."""
    return WorkerHeartbeat.objects.filter(id=_ROWS[queue])


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
