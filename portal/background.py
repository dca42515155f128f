"""Background work: enqueues a task after commit, with ids only, in the queue for short or for long tasks."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from .trace import get_trace, traced

SHORT = str(settings.Q_CLUSTER["name"])
LONG = "long"
QUEUES = (SHORT, LONG)
"""Each has worker processes of its own, so that sweeps, mails and counts do not wait for a delivery."""

LONG_TASKS = frozenset(
    {
        "integrations.tasks.check_chain",
        "integrations.tasks.prune_chain",
        "integrations.tasks.refresh_tokens",
        "integrations.tasks.remove_old_syncs",
        "integrations.tasks.sync_directory",
        "portal.tasks.remove_closed_invitations",
        "portal.tasks.remove_expired_sessions",
        "signatures.tasks.deliver_signatures",
        "signatures.tasks.follow_release",
        "signatures.tasks.follow_sync",
        "signatures.tasks.note_statuses",
        "signatures.tasks.plan_delivery",
        "signatures.tasks.remove_decided_changes",
        "signatures.tasks.remove_old_banner_events",
        "signatures.tasks.remove_old_counts",
        "signatures.tasks.remove_old_decisions",
        "signatures.tasks.remove_old_deliveries",
        "signatures.tasks.remove_old_media",
        "signatures.tasks.restore_signatures",
        "signatures.tasks.work_on_import",
    }
)
"""What may take minutes: calls to Outreach by the page or mailbox, and work on every row of a domain."""


def get_queue(task: str) -> str:
    return LONG if task in LONG_TASKS else SHORT


def enqueue(task: str, **ids: int | str) -> None:
    """Queue the callable at the dotted path `task` once the present transaction has committed.

    ids: keyword arguments of the task, ids only; they are stored readable. A task may be lost or run twice:
    the rows say what is still to be done, and a sweep finds it.
    """
    options = {"cluster": LONG} if task in LONG_TASKS else {}
    trace = get_trace()

    def queue() -> None:
        with traced(trace):
            async_task(task, **ids, **options)

    transaction.on_commit(queue)


def enqueue_missing(task: str, **ids: int | str) -> None:
    """Queue the task unless it waits already: for sweeps, which come again while all workers are busy."""
    if not is_waiting(task, **ids):
        enqueue(task, **ids)


def is_waiting(task: str, **ids: int | str) -> bool:
    """Return whether this task with these ids is in its queue, and no worker has taken it."""
    waiting = OrmQ.objects.filter(key=get_queue(task), lock__lte=timezone.now())
    return any((row.task.get("func"), row.task.get("kwargs")) == (task, ids) for row in waiting)
