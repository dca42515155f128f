"""The hourly allowance: one budget for all processes, never more than its share, and believing the headers."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from integrations import lookup, sync
from integrations.budget import HourlyBudget
from integrations.errors import RateLimited
from integrations.models import CallBudget, RunState, SyncKind


def get_row(connection):
    return CallBudget.objects.filter(connection=connection).values("limit", "used").get()


def take_all(budget):
    """How many calls may leave until the budget refuses, and what it then says."""
    taken = 0
    while True:
        try:
            budget.take()
        except RateLimited as refusal:
            return taken, refusal
        taken += 1


@pytest.fixture
def small(settings):
    settings.OUTREACH_HOURLY_CALLS = 100


def test_background_work_stops_at_four_fifths_and_a_person_may_go_on(connection, bystander, small):
    background, refusal = take_all(HourlyBudget(connection.pk, background=True))
    person, last = take_all(HourlyBudget(connection.pk, background=False))
    other, _ = take_all(HourlyBudget(bystander.pk, background=True))

    assert (background, person, other) == (80, 20, 80)
    assert 3590 < refusal.retry_after_seconds <= 3600 and 3590 < last.retry_after_seconds <= 3600
    assert not refusal.permanent


def test_what_was_not_spent_is_given_back(connection, small):
    budget = HourlyBudget(connection.pk, background=True)
    for _ in range(3):
        budget.take()
    budget.close()

    assert get_row(connection) == {"limit": 100, "used": 3}


def test_the_next_hour_begins_anew(connection, small):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        take_all(HourlyBudget(connection.pk, background=True))
    with time_machine.travel("2026-03-02T10:59:59Z", tick=False):
        before, refusal = take_all(HourlyBudget(connection.pk, background=True))
    with time_machine.travel("2026-03-02T11:00:00Z", tick=False):
        after, _ = take_all(HourlyBudget(connection.pk, background=True))

    assert (before, refusal.retry_after_seconds, after) == (0, 1.0, 80)


def test_what_is_left_of_one_hour_is_not_given_back_into_the_next(connection, small):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        stale = HourlyBudget(connection.pk, background=True)
        stale.take()
    with time_machine.travel("2026-03-02T11:00:01Z", tick=False):
        taken, _ = take_all(HourlyBudget(connection.pk, background=True))
        stale.close()
        more, _ = take_all(HourlyBudget(connection.pk, background=True))

    assert (taken, more) == (80, 0)


def test_what_a_reply_of_the_last_hour_said_does_not_count_in_this_one(connection):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False):
        budget = HourlyBudget(connection.pk, background=True)
        budget.take()
        budget.learn(10_000, 50, 3599)
    with time_machine.travel("2026-03-02T11:00:01Z", tick=False):
        budget.close()

    assert get_row(connection)["used"] == 0


@pytest.mark.parametrize(
    ("said", "used"),
    [((10_000, 9_000, 600), 1_000), ((500, 499, None), 1), ((10_000, 10_000, 0), 1), ((0, 0, None), 10_000)],
)
def test_headers_are_believed_where_they_say_more_is_spent(connection, said, used):
    budget = HourlyBudget(connection.pk, background=True)
    budget.take()
    budget.learn(*said)
    budget.close()

    assert get_row(connection) == {"limit": said[0] or 10_000, "used": used}


def test_the_windows_end_is_the_one_outreach_tells(connection):
    budget = HourlyBudget(connection.pk, background=True)
    budget.take()
    budget.learn(100, 0, 600)
    budget.close()

    _, refusal = take_all(HourlyBudget(connection.pk, background=False))
    assert 590 < refusal.retry_after_seconds <= 600


@pytest.mark.parametrize("two_valued", [False, True])
def test_a_real_call_teaches_what_others_spent(sandbox, connection, two_valued):
    sandbox.settings.two_valued_remaining = two_valued
    sandbox.settings.hourly_limit = 5_000
    for _ in range(300):
        sandbox.allowance.spend(1)  # another application of the same person

    lookup.read_signature(connection, person_remote_id="1", mailbox_remote_id="1", job="test")

    assert get_row(connection) == {"limit": 5_000, "used": 301}


def test_a_pause_that_outreach_asks_for_holds_for_every_session(sandbox, connection, bystander):
    at_work = HourlyBudget(connection.pk, background=True)
    at_work.take()
    HourlyBudget(connection.pk, background=False).blocked(300)
    sandbox.requests.clear()

    with pytest.raises(RateLimited) as refused:
        lookup.read_signature(connection, person_remote_id="1", mailbox_remote_id="1", job="test")
    at_work._taken.at -= 2  # the other session looks again after a second
    with pytest.raises(RateLimited):
        at_work.take()

    assert 290 < refused.value.retry_after_seconds <= 300
    assert sandbox.requests == []
    lookup.read_signature(bystander, person_remote_id="1", mailbox_remote_id="1", job="test")
    CallBudget.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
    at_work.take()


def test_a_spent_allowance_lets_a_sync_wait_without_a_call(sandbox, connection, small):
    take_all(HourlyBudget(connection.pk, background=True))

    run = sync.carry_out(sync.request_sync(connection, kind=SyncKind.FULL, by_label="test").pk)

    assert (run.state, sandbox.requests) == (RunState.WAITING, [])
    assert run.resume_at is not None
    assert (run.resume_at - timezone.now()).total_seconds() > 3500


SPENDERS = """
import json, multiprocessing
from django.db import connections
from integrations.budget import HourlyBudget
from integrations.errors import RateLimited
from integrations.models import Connection

def spend(barrier, answers, pk):
    connections["default"].close()
    budget, taken = HourlyBudget(pk, background=True), 0
    barrier.wait()
    try:
        while True:
            budget.take()
            taken += 1
    except RateLimited:
        budget.close()
    answers.put(taken)

pk = Connection.objects.get(domain__name="acme.example").pk
connections["default"].close()
context = multiprocessing.get_context("fork")
barrier, answers = context.Barrier(4), context.Queue()
workers = [context.Process(target=spend, args=(barrier, answers, pk)) for _ in range(4)]
for worker in workers: worker.start()
print(json.dumps([answers.get(timeout=60) for _ in workers]))
for worker in workers: worker.join()
"""


def test_p9_four_processes_together_take_exactly_the_background_share(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())

    taken = json.loads(installation.run(SPENDERS, OUTREACH_HOURLY_CALLS="1000", timeout=120))

    assert sum(taken) == 800
    assert installation.rows("select used from integrations_callbudget") == [(800,)]
