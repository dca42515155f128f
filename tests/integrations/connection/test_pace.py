"""Writes slow down with each limit that is met, and speed up again."""

from __future__ import annotations

import threading

import pytest

from integrations.connection.pace import FASTER_AFTER, STEPS, Pace
from integrations.gateway import open_gateway
from integrations.models import CallBudget


class Limits:
    """How many replies said to wait."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self) -> int:
        return self.seen


def write(pace: Pace, limits: Limits, *, is_limited: bool = False) -> None:
    with pace.one_write(limits):
        limits.seen += is_limited


def test_each_limit_slows_down_and_a_while_without_speeds_up_again():
    pace, limits = Pace(), Limits()
    steps = []
    for _ in range(4):
        write(pace, limits, is_limited=True)
        steps.append(pace.step)
    for _ in range(FASTER_AFTER - 1):
        pace._next_at = 0.0
        write(pace, limits)
    assert (steps, pace.step) == ([1, 2, 3, 4], 4)

    pace._next_at = 0.0
    write(pace, limits)

    assert pace.step == 3


def test_the_slowest_pace_is_one_write_in_two_seconds():
    pace, limits = Pace(99), Limits()

    write(pace, limits, is_limited=True)

    assert (pace.step, STEPS[pace.step].in_flight, STEPS[pace.step].apart_seconds) == (6, 1, 2.0)


def test_eight_writes_that_meet_one_limit_together_slow_down_once():
    pace, limits = Pace(), Limits()
    together = threading.Barrier(8)

    def meet() -> None:
        with pace.one_write(limits):
            together.wait(10)
            limits.seen += 1
            together.wait(10)

    threads = [threading.Thread(target=meet) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert pace.step == 1


def test_as_many_writes_are_in_flight_as_the_step_allows_and_no_more():
    pace, limits = Pace(2), Limits()
    inside, most, lock = 0, 0, threading.Lock()

    def count() -> None:
        nonlocal inside, most
        with pace.one_write(limits):
            with lock:
                inside += 1
                most = max(most, inside)
            threading.Event().wait(0.01)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=count) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2


@pytest.mark.django_db(transaction=True)
def test_the_next_job_begins_at_the_pace_at_which_the_last_one_ended(sandbox, connection, bystander):
    mailbox = str(min(sandbox.directory.mailboxes))
    limits = {"retry_after": "delta", "seconds": 1}
    for nth in (1, 3):  # each write is refused once, waits, and is repeated
        sandbox.faults.add("rate_limited", method="PATCH", nth=nth, **limits)

    with open_gateway(connection, job="delivery 1") as gateway:
        gateway.publish_signature(mailbox, "<p>One</p>")
    with open_gateway(bystander, job="delivery 2") as gateway:
        gateway.read_mailboxes(["1"])
    first = dict(CallBudget.objects.values_list("connection", "pace"))
    with open_gateway(connection, job="delivery 3") as gateway:
        gateway.publish_signature(mailbox, "<p>Two</p>")

    assert first == {connection.pk: 1, bystander.pk: 0}
    assert CallBudget.objects.get(connection=connection).pace == 2
