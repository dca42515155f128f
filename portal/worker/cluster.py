"""Worker cluster: the worker processes of one queue as a child, and whether they get on with tasks.

A django-q2 cluster whose idle worker was killed keeps all its processes and takes no task any more,
so living processes prove nothing: only tasks that are finished or being worked on do. Its broker sees to it that
there is one every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence

from django.conf import settings

from portal.background import LONG, SHORT

from . import worker_files
from .broker import get_canary_seconds
from .child import Child
from .heartbeat import record_beat

START_SECONDS = 60.0  # a machine under load needs some of these before the first task
NAMES = {SHORT: "background worker", LONG: "worker of long tasks"}


class WorkerCluster(Child):
    """Keeps the files of its workers until `close`."""

    def __init__(self, queue: str, command: Sequence[str]) -> None:
        self.queue = queue
        self._folder = worker_files.make_folder()
        environ = {**os.environ, worker_files.VARIABLE: str(self._folder)}
        if queue == LONG:
            environ["Q_CLUSTER_NAME"] = LONG
        super().__init__(NAMES[queue], command, environ)

    @property
    def is_busy(self) -> bool:
        """Whether a worker is at a task and not frozen."""
        return any(worker.is_busy for worker in self._list_lively())

    @property
    def is_working(self) -> bool:
        """Whether a worker finished a task lately, or is at one."""
        return bool(self._list_lively())

    @property
    def is_stuck(self) -> bool:
        """Whether it has had time to finish a task, and nobody does."""
        age = time.monotonic() - self.started_at
        workers = worker_files.read_workers(self._folder)
        has_begun = any(worker.silent_seconds < age for worker in workers)
        least = settings.HEARTBEAT_GRACE_SECONDS
        return age > (least if has_begun else max(least, START_SECONDS)) and not self.is_working

    @property
    def memory_mb(self) -> int:
        return worker_files.measure_memory(worker_files.read_workers(self._folder))

    def _list_lively(self) -> list[worker_files.WorkerState]:
        grace = settings.HEARTBEAT_GRACE_SECONDS
        return [each for each in worker_files.read_workers(self._folder) if each.silent_seconds < grace]

    def end_frozen(self) -> list[int]:
        """Kill workers that are at a task and have been silent for too long; return their process ids."""
        workers = worker_files.read_workers(self._folder)
        grace = settings.HEARTBEAT_GRACE_SECONDS
        frozen = [each.pid for each in workers if each.is_busy and each.silent_seconds > grace]
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if frozen:
            self.started_at = time.monotonic()  # who replaces them has time to begin
        worker_files.remove_ended(self._folder, silent_seconds=grace)
        return frozen

    def beat(self) -> None:
        """Record the queue's heartbeat where a worker began or finished a task just now, or is at one."""
        workers = worker_files.read_workers(self._folder)
        if any(worker.silent_seconds < get_canary_seconds() for worker in workers):
            record_beat(self.queue)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
