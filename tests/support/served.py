"""A machine with workers: `manage.py serve` in processes of its own, and what it says."""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .installation import Installation, wait_until

GRACE_SECONDS = 8
SHORT, LONG = "background worker", "worker of long tasks"
PATIENCE_SECONDS = 90  # several processes start on a machine that may be busy


def get_group(leader: int) -> set[int]:
    """The living processes of a process group."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.add(int(entry.name))
    return found


@dataclass
class Served:
    """A running `serve` and what it says."""

    installation: Installation
    process: subprocess.Popen[str]
    output: Path

    def said(self, words: str) -> int:
        return self.output.read_text().count(words)

    def get_pid(self, name: str) -> int:
        """The newest process of that name; 0 before the first."""
        found = re.findall(rf"{name} started, process (\d+)", self.output.read_text())
        return int(found[-1]) if found else 0

    def get_workers(self, name: str = SHORT, *, word: str = "") -> list[int]:
        """The worker processes of this cluster that have begun a task; those whose file begins with this word."""
        group = get_group(self.get_pid(name))
        files = self.installation.database.parent.glob("countersign-alive-*/*")
        found = [path for path in files if int(path.name) in group]
        return sorted(int(path.name) for path in found if path.read_text().startswith(word))

    def wait_for_worker(self, name: str = SHORT, *, word: str = "") -> list[int]:
        return wait_until(
            lambda: self.get_workers(name, word=word), seconds=PATIENCE_SECONDS, what=self.output.read_text()
        )

    def wait_for_beat(self) -> None:
        """A worker has finished something that was not yet there when this was asked."""
        before = self.installation.rows("select beat_at from portal_workerheartbeat where id = 1")
        wait_until(
            lambda: (
                self.installation.rows("select beat_at from portal_workerheartbeat where id = 1") != before
            ),
            seconds=PATIENCE_SECONDS,
        )

    def run_task(self, name: str) -> None:
        """Queue a task, and wait until a worker has done it."""
        self.installation.run(
            "from django_q.tasks import async_task\n"
            f"async_task('portal.tasks.record_beat', task_name={name!r}, save=True)\n"
        )
        wait_until(
            lambda: (
                self.installation.rows("select success from django_q_task where name = ?", name) == [(1,)]
            ),
            seconds=PATIENCE_SECONDS,
            what=f"task {name}: {self.output.read_text()}",
        )
