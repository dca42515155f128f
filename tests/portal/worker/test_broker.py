"""The broker takes a task only where a worker is free, and asks idle workers for a sign of life."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from portal.background import SHORT, enqueue
from portal.worker import broker as brokers
from portal.worker.broker import Broker
from portal.worker.worker_files import VARIABLE

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = (
    "portal.tasks.invite_senders",
    "signatures.tasks.sift_banner_events",
    "signatures.tasks.sweep_deliveries",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a cluster with two workers, of which none has begun a task."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(Conf, "WORKERS", 2)
    return tmp_path


def write(folder: Path, pid: int, word: str, begun: int, *, age: float = 0) -> None:
    path = folder / str(pid)
    path.write_text(f"{word} {begun:09}")
    os.utime(path, (time.time() - age,) * 2)


def take(broker: Broker) -> str | None:
    """What the broker hands out; its number in the queue does not matter here."""
    taken = broker.dequeue()
    return SignedPackage.loads(taken[0][1])["func"] if taken else None


def test_a_task_is_taken_only_while_a_worker_is_free(folder):
    for task in TASKS:
        enqueue(task)
    broker = Broker(list_key=SHORT)
    write(folder, os.getpid(), "idle", 7)

    first, second, none_is_free = (take(broker) for _ in range(3))
    write(folder, os.getpid(), "busy", 8)
    write(folder, os.getppid(), "busy", 1)
    both_are_busy = take(broker)
    write(folder, os.getppid(), "idle", 1)
    third = take(broker)

    assert (first, second, none_is_free, both_are_busy, third) == (*TASKS[:2], None, None, TASKS[2])


def test_a_worker_that_was_killed_before_or_at_a_task_is_not_waited_for(folder, monkeypatch):
    monkeypatch.setattr(brokers, "LOST_SECONDS", 0.05)
    for task in TASKS:
        enqueue(task)
    broker = Broker(list_key=SHORT)
    write(folder, 2**22 + 1, "busy", 3)  # no such process: Linux numbers end before
    first, second = take(broker), take(broker)

    end = time.monotonic() + 10
    third = None
    while third is None and time.monotonic() < end:
        third = take(broker)

    assert (first, second, third) == TASKS


def test_idle_workers_get_a_canary_that_no_queue_holds_and_busy_ones_none(folder):
    broker = Broker(list_key=SHORT)
    write(folder, os.getpid(), "idle", 7, age=60)

    canary, too_soon = take(broker), take(broker)
    write(folder, os.getpid(), "busy", 8)
    other = take(Broker(list_key=SHORT))

    assert (canary, too_soon, other) == ("portal.tasks.record_beat", None, None)
    assert not OrmQ.objects.exists()


def test_without_a_supervisor_it_takes_what_waits_and_makes_nothing_up(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    enqueue(TASKS[0])
    broker = Broker(list_key=SHORT)

    assert (take(broker), take(broker)) == (TASKS[0], None)
