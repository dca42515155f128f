"""Supervisor: keeps the web server and the worker clusters alive, and replaces a cluster that stopped working.

It also has what a dead process left taken over: every few seconds, from one machine at a time.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import DatabaseError
from django_q.tasks import async_task

from portal.background import QUEUES, is_waiting
from portal.timed_check import TimedCheck

from . import worker_files
from .broker import get_canary_seconds
from .child import Child
from .cluster import WorkerCluster
from .heartbeat import may_sweep
from .machines import forget_ended, forget_machine, note_machine

STOP_SECONDS = 20.0  # a running task has this long to finish when we are asked to stop
TAKE_OVERS = ("integrations.tasks.take_over", "signatures.tasks.take_over")


class Supervisor:
    """Runs until `stop` is called; restarts ended processes and clusters that stopped working."""

    def __init__(
        self, *, web: Sequence[str] | None, worker: Sequence[str] | None, say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._stopping = threading.Event()
        worker_files.remove_abandoned_folders()
        self._web = Child("web server", web, dict(os.environ)) if web else None
        self._clusters = [WorkerCluster(queue, worker) for queue in QUEUES] if worker else []
        # In a thread: a database that hangs must not keep us from looking after the processes.
        self._database = TimedCheck(self._use_database, late=None)
        self._used_at = 0.0
        self._has_tidied = False

    def run(self) -> None:
        """Block until stopped, then end everything that was started."""
        try:
            for child in self._children():
                child.start()
                self._say(f"{child.name} started, process {child.pid}")
            while not self._stopping.wait(0.5):
                self._look_after()
        finally:
            self._end()

    def _end(self) -> None:
        ending = [threading.Thread(target=self._end_child, args=(child,)) for child in self._children()]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join()
        for cluster in self._clusters:
            cluster.close()
        if self._clusters:
            with contextlib.suppress(DatabaseError):
                forget_machine()

    def _end_child(self, child: Child) -> None:
        child.stop(within_seconds=STOP_SECONDS)
        self._say(f"{child.name} stopped")

    def stop(self) -> None:
        """Ask `run` to end; may be called from a signal handler."""
        self._stopping.set()

    def _children(self) -> list[Child]:
        return [*([self._web] if self._web else []), *self._clusters]

    def _look_after(self) -> None:
        for child in self._children():
            if not child.is_running:
                self._replace(child, "ended")
        for cluster in self._clusters:
            for pid in cluster.end_frozen():
                self._say(f"process {pid} of the {cluster.name} is frozen at a task; it is ended")
            if cluster.is_stuck:
                self._replace(cluster, "finished no task for too long")
        seconds = min(get_canary_seconds(), settings.SWEEP_SECONDS / 2)
        if self._clusters and time.monotonic() - self._used_at >= seconds:
            self._used_at = time.monotonic()
            self._database.begin()

    def _replace(self, child: Child, why: str) -> None:
        self._say(f"{child.name} {why}; it is replaced")
        child.stop(within_seconds=STOP_SECONDS if child is self._web else 0)
        # One that ends at once would otherwise be started many times a second.
        self._stopping.wait(max(0.0, 1.0 - (time.monotonic() - child.started_at)))
        if not self._stopping.is_set():
            child.start()
            self._say(f"{child.name} started, process {child.pid}")

    def _use_database(self) -> None:
        """Note that this machine works and beats, and have lapsed leases taken over."""
        try:
            if not self._has_tidied:
                forget_ended()
                self._has_tidied = True
            if all(cluster.is_working for cluster in self._clusters):
                note_machine(
                    is_busy=any(cluster.is_busy for cluster in self._clusters),
                    memory_mb=sum(cluster.memory_mb for cluster in self._clusters),
                )
            for cluster in self._clusters:
                cluster.beat()
            if may_sweep():
                for task in TAKE_OVERS:
                    if not is_waiting(task):
                        async_task(task, save=False)
        except DatabaseError as error:
            self._say(f"the database is not available ({type(error).__name__}); trying again")
