"""Worker files: let others on the same machine see what worker processes of a cluster do, by one small file each.

A worker writes whether it is busy and how many tasks it has begun. While it is at a task, a thread renews the file's
time: a process that is frozen renews nothing. Nothing is written unless a supervisor asked for it by BEATS_DIR, so
`qcluster` can be run without one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "BEATS_DIR"
_PREFIX = "countersign-alive-"
_NEW_SECONDS = 60  # one so new may not be locked yet
_RENEWALS = 6  # within HEARTBEAT_GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker process. begun: tasks; silent_seconds: since it began or finished a task, or renewed its file."""

    pid: int
    begun: int
    is_busy: bool
    silent_seconds: float


class _WorkerFile:
    """The file of this process, and the thread that renews it while a task runs."""

    def __init__(self, folder: Path) -> None:
        self.pid = os.getpid()
        self._file = os.open(folder / str(self.pid), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._begun = 0
        self._is_busy = threading.Event()
        threading.Thread(target=self._renew, daemon=True, name="worker-file").start()

    def begin(self) -> None:
        self._begun += 1
        self._is_busy.set()
        self._write("busy")

    def finish(self) -> None:
        self._is_busy.clear()
        self._write("idle")

    def _write(self, word: str) -> None:
        os.pwrite(self._file, f"{word} {self._begun:09}".encode(), 0)  # of one length: never read half

    def _renew(self) -> None:
        from django.conf import settings

        while self._is_busy.wait():
            os.utime(self._file)
            time.sleep(settings.HEARTBEAT_GRACE_SECONDS / _RENEWALS)


_own: _WorkerFile | None = None


def connect_signals() -> None:
    """Let workers of this process's cluster report what they do, if a supervisor asked for it."""
    if get_folder() is None:
        return
    from django_q.signals import post_execute_in_worker, pre_execute

    pre_execute.connect(_begin, dispatch_uid="worker_files")
    post_execute_in_worker.connect(_finish, dispatch_uid="worker_files")


def get_folder() -> Path | None:
    """Return the folder of this cluster's files, or None where it has no supervisor."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def _begin(**kwargs: Any) -> None:
    global _own
    folder = get_folder()
    with contextlib.suppress(FileNotFoundError):  # the supervisor was killed, and its folder removed
        if folder is not None and (_own is None or _own.pid != os.getpid()):
            _own = _WorkerFile(folder)
        if _own is not None:
            _own.begin()


def _finish(**kwargs: Any) -> None:
    if _own is not None:
        _own.finish()


def make_folder() -> Path:
    """Return a folder for workers' files, locked for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)  # kept open: the lock goes with the process
    return folder


def remove_abandoned_folders() -> None:
    """Remove folders of this account whose supervisor was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if is_ours and time.time() - found.st_mtime > _NEW_SECONDS and not _is_locked(folder):
                shutil.rmtree(folder)


def _is_locked(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def read_workers(folder: Path) -> list[WorkerState]:
    """Return every worker process that ever began a task; one that has ended is not busy."""
    return list(_read(folder))


def _read(folder: Path) -> Iterator[WorkerState]:
    for path in folder.iterdir():
        with contextlib.suppress(OSError, ValueError):  # it went away while we looked
            word, _, begun = path.read_text().partition(" ")
            is_busy = word == "busy" and is_running(int(path.name))
            yield WorkerState(int(path.name), int(begun), is_busy, time.time() - path.stat().st_mtime)


def remove_ended(folder: Path, *, silent_seconds: float) -> None:
    """Remove the files of processes that ended so long ago, as workers are replaced after 500 tasks."""
    for worker in read_workers(folder):
        if worker.silent_seconds > silent_seconds and not is_running(worker.pid):
            (folder / str(worker.pid)).unlink(missing_ok=True)


def measure_memory(workers: list[WorkerState]) -> int:
    """Return the resident memory of these workers in MB; 0 where /proc does not tell."""
    pages = 0
    for worker in workers:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages += int(Path(f"/proc/{worker.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
    try:
        os.kill(pid, 0)  # no /proc: not Linux
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
