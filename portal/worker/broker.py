"""Broker: takes a task from the queue only while a worker process of this cluster is free, and makes canaries.

django-q's own takes tasks ahead into memory, where they wait behind a long one while another machine has nothing to do,
and are lost for two hours when the cluster is killed.

A canary is a task that no queue holds: it proves that this very cluster gets on with tasks, on whatever machine.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.humanhash import uuid
from django_q.signing import SignedPackage

from . import worker_files
from .worker_files import WorkerState

FIRST_PAUSE_SECONDS = 0.02  # doubled up to django-q's `poll`
CANARY_SECONDS = 10.0  # or less: several canaries must fit into HEARTBEAT_GRACE_SECONDS
LOST_SECONDS = 5.0  # a free worker takes a task within milliseconds


def get_canary_seconds() -> float:
    """Return how long workers are idle before a canary asks whether they still take tasks."""
    return min(CANARY_SECONDS, settings.HEARTBEAT_GRACE_SECONDS / 4)


class Broker(ORM):
    """Compares how many tasks it handed out with how many the workers began, by their files.

    Without a supervisor there are no files, and it takes tasks as django-q does.
    """

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key=list_key)
        self._handed: int | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._waits_since = 0.0
        self._canary_at = 0.0

    def dequeue(self) -> Any:
        """Return what to do next as django-q wants it; None where no worker is free or nothing waits."""
        folder = worker_files.get_folder()
        if folder is None:
            return super().dequeue()
        workers = worker_files.read_workers(folder)
        if not self._is_one_free(workers):
            time.sleep(self._pause)
            self._pause = min(self._pause * 2, Conf.POLL)
            return None
        self._pause = FIRST_PAUSE_SECONDS
        taken = super().dequeue() or self._make_canary(workers)
        self._handed = (self._handed or 0) + len(taken or ())
        return taken

    def _make_canary(self, workers: list[WorkerState]) -> list[tuple[int, str]]:
        """Return a canary as a task that need not be acknowledged, if it is time for one."""
        seconds, now = get_canary_seconds(), time.monotonic()
        if now - self._canary_at < seconds or any(worker.silent_seconds < seconds for worker in workers):
            return []
        self._canary_at = now
        name, number = uuid()
        canary = {
            "id": number,
            "name": name,
            "func": "portal.tasks.record_beat",
            "args": (),
            "kwargs": {"queue": Conf.CLUSTER_NAME},
            "started": timezone.now(),
            "save": False,
        }
        return [(0, SignedPackage.dumps(canary))]

    def _is_one_free(self, workers: list[WorkerState]) -> bool:
        begun = sum(worker.begun for worker in workers)
        if self._handed is None or self._handed <= begun:
            self._handed, self._waits_since = begun, 0.0
        elif not self._waits_since:
            self._waits_since = time.monotonic()
        elif time.monotonic() - self._waits_since > LOST_SECONDS:
            self._handed = begun  # its worker was killed before it could begin
        busy = sum(worker.is_busy for worker in workers)
        return busy + self._handed - begun < Conf.WORKERS
