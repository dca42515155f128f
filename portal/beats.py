"""How a supervisor on the same machine sees its own cluster's workers: one small file a worker.

Each worker writes `idle` or `busy` as it finishes or takes a task. Nothing is written unless a
supervisor asked for it by BEATS_DIR, so any other way to run `qcluster` is untouched.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

VARIABLE = "BEATS_DIR"


def connect_beats() -> None:
    """Workers of this process's cluster tell what they do, where a supervisor asked them to."""
    if not os.environ.get(VARIABLE):
        return
    from django_q.signals import post_execute_in_worker, pre_execute

    pre_execute.connect(_take, dispatch_uid="beats")
    post_execute_in_worker.connect(_finish, dispatch_uid="beats")


def _take(**kwargs: Any) -> None:
    _write("busy")


def _finish(**kwargs: Any) -> None:
    _write("idle")


def _write(word: str) -> None:
    (Path(os.environ[VARIABLE]) / str(os.getpid())).write_text(word)


def is_anybody_working(folder: Path, *, within_seconds: float) -> bool:
    """Return whether a worker finished a task lately, or is alive and still at one."""
    for path in folder.iterdir():
        try:
            if time.time() - path.stat().st_mtime < within_seconds:
                return True
            if path.read_text() == "busy" and is_running(int(path.name)):
                return True
        except (OSError, ValueError):
            continue  # it went away while we looked
    return False


def is_running(pid: int) -> bool:
    """Return whether a process is there and is not only waiting to be reaped."""
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
