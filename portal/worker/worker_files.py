"""Worker files: let a supervisor on the same machine see which of its workers are busy, by one small file each.

Each worker writes `idle` or `busy` as it finishes or takes a task. Nothing is written unless a
supervisor asked for it by BEATS_DIR, so `qcluster` can be run without a supervisor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

VARIABLE = "BEATS_DIR"
_PREFIX = "countersign-alive-"
_NEW_SECONDS = 60  # one so new may not be locked yet


def connect_signals() -> None:
    """Let workers of this process's cluster report what they do, if a supervisor asked for it."""
    if not os.environ.get(VARIABLE):
        return
    from django_q.signals import post_execute_in_worker, pre_execute

    pre_execute.connect(_take, dispatch_uid="worker_files")
    post_execute_in_worker.connect(_finish, dispatch_uid="worker_files")


def _take(**kwargs: Any) -> None:
    _write("busy")


def _finish(**kwargs: Any) -> None:
    _write("idle")


def _write(word: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # the supervisor was killed, and its folder removed
        (Path(os.environ[VARIABLE]) / str(os.getpid())).write_text(word)


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


def is_anybody_busy(folder: Path) -> bool:
    """Return whether a live worker is carrying out a task."""
    return any(_is_busy(path) for path in folder.iterdir())


def _is_busy(path: Path) -> bool:
    try:
        return path.read_text() == "busy" and is_running(int(path.name))
    except (OSError, ValueError):
        return False  # it went away while we looked


def is_anybody_working(folder: Path, *, within_seconds: float) -> bool:
    """Return whether a worker finished a task recently, or is alive and carrying one out."""
    for path in folder.iterdir():
        try:
            if time.time() - path.stat().st_mtime < within_seconds:
                return True
        except OSError:
            continue  # it went away while we looked
        if _is_busy(path):
            return True
    return False


def measure_memory(folder: Path) -> int:
    """Return the resident memory of these workers in MB; 0 where /proc does not tell."""
    pages = 0
    for path in folder.iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages += int(Path(f"/proc/{path.name}/statm").read_text().split()[1])
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
