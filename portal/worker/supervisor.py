"""Supervisor: keeps the web server and the background cluster alive, and replaces a cluster that stopped working.

A django-q2 cluster whose idle worker was killed keeps all its processes and takes no task any more,
so living processes prove nothing: only finished tasks do. A canary is queued every few seconds; where
nothing is finished for HEARTBEAT_GRACE_SECONDS and no worker is at a task, the cluster's whole process
group is ended and started anew. What it left half-done is found by the sweeps.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models.functions import Now

from portal.models import WorkerHeartbeat

from . import worker_files
from .heartbeat import record_beat
from .machines import forget_machine, note_machine

CANARY_SECONDS = 10.0  # or less: several canaries must fit into HEARTBEAT_GRACE_SECONDS
STOP_SECONDS = 20.0  # a running task has this long to finish when we are asked to stop
_PR_SET_PDEATHSIG = 1


class Child:
    """A process in its own process group, so that ending it ends its children."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        *,
        output: IO[bytes] | None = None,
    ) -> None:
        self.name = name
        self._output = output
        self._command = list(command)
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            self._command,
            env=self._environ,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    def stop(self, *, within_seconds: float) -> None:
        """End the process and its children; the main process gets SIGTERM first.

        SIGTERM to the whole group would kill the workers at once and leave the main process hanging.
        """
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=within_seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _end_with_parent() -> None:
    """Let the Linux kernel end this process when the supervisor is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Runs until `stop` is called; restarts ended processes and clusters that stopped working."""

    def __init__(
        self, *, web: Sequence[str] | None, worker: Sequence[str] | None, say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._stopping = threading.Event()
        worker_files.remove_abandoned_folders()
        self._beats = worker_files.make_folder()
        environ = {**os.environ, worker_files.VARIABLE: str(self._beats)}
        self.web = Child("web server", web, environ) if web else None
        self.worker = Child("background worker", worker, environ) if worker else None
        self._canary_at = 0.0

    def run(self) -> None:
        """Block until stopped, then end everything that was started."""
        try:
            for child in self._children():
                child.start()
                self._say(f"{child.name} started, process {child.pid}")
            while not self._stopping.wait(0.5):
                self._look_after()
        finally:
            for child in self._children():
                child.stop(within_seconds=STOP_SECONDS)
                self._say(f"{child.name} stopped")
            shutil.rmtree(self._beats, ignore_errors=True)
            if self.worker:
                with contextlib.suppress(DatabaseError):
                    forget_machine()

    def stop(self) -> None:
        """Ask `run` to end; may be called from a signal handler."""
        self._stopping.set()

    def _children(self) -> list[Child]:
        return [child for child in (self.web, self.worker) if child]

    def _look_after(self) -> None:
        for child in self._children():
            if not child.is_running:
                self._replace(child, "ended")
        if self.worker:
            self._send_canary()
            if self._is_stuck(self.worker):
                self._replace(self.worker, "finished no task for too long")

    def _replace(self, child: Child, why: str) -> None:
        self._say(f"{child.name} {why}; it is replaced")
        child.stop(within_seconds=0 if child is self.worker else STOP_SECONDS)
        # One that ends at once would otherwise be started many times a second.
        self._stopping.wait(max(0.0, 1.0 - (time.monotonic() - child.started_at)))
        if not self._stopping.is_set():
            child.start()
            self._say(f"{child.name} started, process {child.pid}")

    def _send_canary(self) -> None:
        """Queue a canary, at most one at a time; while a worker is busy, record its heartbeat instead."""
        if time.monotonic() - self._canary_at < min(CANARY_SECONDS, settings.HEARTBEAT_GRACE_SECONDS / 4):
            return
        self._canary_at = time.monotonic()
        from django_q.tasks import async_task

        try:
            close_old_connections()
            self._note_machine()
            if worker_files.is_anybody_busy(self._beats):
                record_beat()  # a canary would wait behind the task
                return
            WorkerHeartbeat.objects.get_or_create(id=WorkerHeartbeat.SOLE_ID)
            row = WorkerHeartbeat.objects.annotate(now=Now()).get(id=WorkerHeartbeat.SOLE_ID)
            asked_at = row.asked_at
            if asked_at and (row.beat_at is None or row.beat_at < asked_at):
                waited = (row.now - asked_at).total_seconds()
                if waited < settings.HEARTBEAT_GRACE_SECONDS:
                    return
            WorkerHeartbeat.objects.filter(pk=row.pk).update(asked_at=Now())
            async_task("portal.tasks.record_beat", save=False)
        except DatabaseError as error:
            self._say(f"the database is not available ({type(error).__name__}); trying again")

    def _note_machine(self) -> None:
        """Record that this machine's worker gets on with tasks, if it does."""
        if worker_files.is_anybody_working(self._beats, within_seconds=settings.HEARTBEAT_GRACE_SECONDS):
            is_busy = worker_files.is_anybody_busy(self._beats)
            note_machine(is_busy=is_busy, memory_mb=worker_files.measure_memory(self._beats))

    def _is_stuck(self, worker: Child) -> bool:
        grace = settings.HEARTBEAT_GRACE_SECONDS
        if time.monotonic() - worker.started_at < grace:
            return False
        return not worker_files.is_anybody_working(self._beats, within_seconds=grace)
