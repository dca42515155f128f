"""Whether the background worker lives, told by a canary task that it finishes every minute.

A cluster whose idle worker was killed keeps its processes and takes no task any more, so only a
finished task proves life. Long jobs prove it too, each time they renew their lease.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from .models import WorkerHeartbeat


@dataclass(frozen=True, slots=True)
class Worker:
    """beat_at: None where no worker was ever seen."""

    beat_at: datetime | None
    is_alive: bool


def record_beat(*, at: datetime | None = None) -> None:
    """A worker finished a task at `at`."""
    WorkerHeartbeat.objects.update_or_create(
        id=WorkerHeartbeat.SOLE_ID, defaults={"beat_at": at or timezone.now()}
    )


def get_worker(*, at: datetime | None = None) -> Worker:
    """Return when a worker was last seen, and whether that is recent enough."""
    beat_at = (
        WorkerHeartbeat.objects.filter(id=WorkerHeartbeat.SOLE_ID).values_list("beat_at", flat=True).first()
    )
    oldest = (at or timezone.now()) - timedelta(seconds=settings.HEARTBEAT_GRACE_SECONDS)
    return Worker(beat_at=beat_at, is_alive=bool(beat_at and beat_at >= oldest))
