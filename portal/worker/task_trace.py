"""Task trace: carries the id of the work that queued a task in the task's envelope to its log lines.

A schedule's task begins an id of its own.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from portal.trace import get_trace, traced

_running: list[
    ExitStack
] = []  # of this process; one in another where a task is run at once instead of queued


def connect_signals() -> None:
    """Carry ids from where tasks are queued to where they are carried out."""
    from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute

    pre_enqueue.connect(_stamp, dispatch_uid="task_trace")
    pre_execute.connect(_begin, dispatch_uid="task_trace")
    post_execute_in_worker.connect(_end, dispatch_uid="task_trace")


def _stamp(task: dict[str, Any], **kwargs: Any) -> None:
    if trace := get_trace():
        task["trace"] = trace


def _begin(task: dict[str, Any], **kwargs: Any) -> None:
    stack = ExitStack()
    stack.enter_context(traced(task.pop("trace", ""), task=str(task["func"])))
    _running.append(stack)


def _end(**kwargs: Any) -> None:
    if _running:
        _running.pop().close()
