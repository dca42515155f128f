"""Background work: which queue a task goes to, and that sweeps do not fill a queue that nobody empties."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from portal.background import LONG, LONG_TASKS, SHORT, enqueue, enqueue_missing

pytestmark = pytest.mark.django_db(transaction=True)

DELIVER = "signatures.tasks.deliver_signatures"


def list_queued() -> list[tuple[str, str, dict]]:
    return [(row.key, row.task["func"], row.task["kwargs"]) for row in OrmQ.objects.order_by("id")]


def test_long_tasks_have_a_queue_of_their_own_and_every_one_is_there():
    enqueue(DELIVER, run_id=1)
    enqueue("signatures.tasks.sweep_deliveries")

    assert list_queued() == [
        (LONG, DELIVER, {"run_id": 1}),
        (SHORT, "signatures.tasks.sweep_deliveries", {}),
    ]
    assert all(callable(import_string(task)) for task in LONG_TASKS)


def test_what_waits_is_not_queued_again_and_what_a_worker_took_is():
    enqueue(DELIVER, run_id=1)

    enqueue_missing(DELIVER, run_id=1)
    enqueue_missing(DELIVER, run_id=2)
    waiting = list_queued()
    OrmQ.objects.order_by("id")[:1].get().delete()  # done
    OrmQ.objects.update(lock=timezone.now() + timedelta(hours=2))  # taken, perhaps by a machine that is gone
    enqueue_missing(DELIVER, run_id=2)

    assert waiting == [(LONG, DELIVER, {"run_id": 1}), (LONG, DELIVER, {"run_id": 2})]
    assert list_queued() == [(LONG, DELIVER, {"run_id": 2})] * 2
