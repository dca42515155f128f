"""Worker machines: which supervisors were seen lately, and whether their workers get on with tasks."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from portal.models import WorkerMachine

from .worker_files import is_running


@dataclass(frozen=True, slots=True)
class MachineState:
    """One supervisor with a background worker.

    age_seconds: since it was last seen with a worker that works. memory_mb: of its worker processes together.
    disk_free_mb: None where it was not measured.
    """

    name: str
    process: int
    age_seconds: float
    is_busy: bool
    memory_mb: int
    disk_free_mb: int | None

    @property
    def is_alive(self) -> bool:
        return self.age_seconds <= settings.HEARTBEAT_GRACE_SECONDS

    @property
    def state(self) -> str:
        return "alive" if self.is_alive else "not seen"


def note_machine(*, is_busy: bool, memory_mb: int) -> None:
    """Record that this process's supervisor and its worker are well, by the database's clock."""
    WorkerMachine.objects.update_or_create(
        name=platform.node()[:255],
        process=os.getpid(),
        defaults={
            "seen_at": Now(),
            "is_busy": is_busy,
            "python": platform.python_version(),
            "memory_mb": memory_mb,
            "disk_free_mb": measure_disk(),
        },
    )


def is_machine_alive() -> bool:
    """Return whether a supervisor on this machine was seen lately with a worker that works."""
    here = platform.node()[:255]
    return any(machine.is_alive for machine in list_machines() if machine.name == here)


def measure_disk() -> int | None:
    """Return the free megabytes where banner events and temporary files are stored, of the fuller disk."""
    spool = Path(settings.SPOOL_FOLDER).absolute()
    folders = [
        next(folder for folder in (spool, *spool.parents) if folder.is_dir()),
        Path(tempfile.gettempdir()),
    ]
    try:
        return min(shutil.disk_usage(folder).free for folder in folders) // 2**20
    except OSError:
        return None


def forget_machine(*, name: str | None = None, process: int | None = None) -> int:
    """Remove a machine's row, this process's by default; return how many were removed."""
    found = WorkerMachine.objects.filter(name=name or platform.node()[:255], process=process or os.getpid())
    return found.delete()[0]


def forget_ended() -> int:
    """Remove the rows of this machine's supervisors that have ended: killed ones, in whose place this one is."""
    theirs = WorkerMachine.objects.filter(name=platform.node()[:255])
    ended = [process for process in theirs.values_list("process", flat=True) if not is_running(process)]
    return theirs.filter(process__in=ended).delete()[0]


def list_machines() -> list[MachineState]:
    """Return every machine that was not stopped properly or removed, in the order of names."""
    rows = WorkerMachine.objects.order_by("name", "process").annotate(now=Now())
    return [
        MachineState(
            row.name,
            row.process,
            (row.now - row.seen_at).total_seconds(),
            row.is_busy,
            row.memory_mb,
            row.disk_free_mb,
        )
        for row in rows
    ]
