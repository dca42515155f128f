"""Background work in a test: queued tasks are carried out by the library's own worker, in this process."""

from __future__ import annotations

import multiprocessing
import queue

from django_q.models import OrmQ
from django_q.signing import SignedPackage
from django_q.worker import worker


def carry_out_queue() -> list[str]:
    """Carry out what is queued, and what that queues, as a worker does; return the tasks' names, in their order."""
    done = []
    while row := OrmQ.objects.order_by("pk").first():
        row.delete()
        task = SignedPackage.loads(row.payload)
        done.append(task["func"])
        tasks: queue.Queue[object] = queue.Queue()
        results: queue.Queue[dict] = queue.Queue()
        tasks.put(task)
        tasks.put("STOP")
        worker(tasks, results, multiprocessing.Value("f", -1))
        result = results.get_nowait()
        assert result["success"], result["result"]
    return done
