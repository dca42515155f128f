"""Background work: enqueues a task after commit, with ids only."""

from __future__ import annotations

from django.db import transaction
from django_q.tasks import async_task


def enqueue(task: str, **ids: int | str) -> None:
    """Queue the callable at the dotted path `task` once the present transaction has committed.

    ids: keyword arguments of the task, ids only; they are stored readable. A task may be lost or run twice:
    the rows say what is still to be done, and a sweep finds it.
    """
    transaction.on_commit(lambda: async_task(task, **ids))
