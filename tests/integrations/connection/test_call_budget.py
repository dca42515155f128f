"""The hourly allowance: one budget for all processes, never more than its share, and believing the headers."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from integrations.connection.call_budget import HourlyBudget
from integrations.errors import RateLimited
from integrations.models import CallBudget, RunState, SyncKind
from integrations.sync import runs
from integrations.sync.one_person import read_mailboxes


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


@pytest.mark.parametrize("resets_in", [0.0, 0.5, 1.0, 59.0])
@pytest.mark.parametrize("is_fresh", [True, False])
def test_a_spent_allowance_whose_reset_has_passed_when_it_is_stored_is_dropped(
    connection, bystander, small, resets_in, is_fresh
):
    """Another hour has begun by then, and what was said of the last one says nothing of it."""
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        budget = HourlyBudget(connection.pk, background=True)
        if not is_fresh:
            budget.take()
        HourlyBudget(bystander.pk, background=True).take()
        before = get_row(bystander)
        budget.learn(10_000, 0, resets_in)
        clock.shift(timedelta(seconds=60))
        budget.close()

        taken, refusal = take_all(HourlyBudget(connection.pk, background=False))

    assert taken == 100 - (0 if is_fresh else 1)
    assert refusal.retry_after_seconds > 3500
    assert get_row(bystander) == before


@pytest.mark.parametrize("said", [(10_000, 0, 30.0), (10_000, 0, 3_599.0)])
def test_a_spent_allowance_is_believed_until_its_reset_and_no_longer(connection, said):
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        budget = HourlyBudget(connection.pk, background=True)
        budget.take()
        budget.learn(*said)
        budget.close()
        refused, refusal = take_all(HourlyBudget(connection.pk, background=False))
        clock.shift(timedelta(seconds=said[2] - 0.001))
        still, _ = take_all(HourlyBudget(connection.pk, background=False))
        clock.shift(timedelta(seconds=0.001))
        HourlyBudget(connection.pk, background=False).take()

    assert (refused, refusal.retry_after_seconds, still) == (0, said[2], 0)


def test_what_is_said_of_an_hour_that_lasts_holds_though_ours_was_thought_to_end(connection):
    """Our hour began when we began; Outreach's ends later, and it is Outreach's that counts."""
    with time_machine.travel("2026-03-02T10:00:00Z", tick=False) as clock:
        budget = HourlyBudget(connection.pk, background=True)
        budget.take()
        clock.shift(timedelta(minutes=59))
        budget.learn(10_000, 0, 600)
        clock.shift(timedelta(minutes=2))
        budget.close()
        _, refusal = take_all(HourlyBudget(connection.pk, background=False))

    assert refusal.retry_after_seconds == 480


@pytest.mark.parametrize(
    ("noted", "words"),
    [
        ({"window_ends_at": 86_400, "used": 10_000}, "calls to Outreach are used up"),
        ({"blocked_until": 86_400}, "asked us to wait"),
    ],
)
def test_what_a_clock_noted_that_was_a_day_ahead_stops_nobody(connection, noted, words):
    now = timezone.now()
    columns = {
        name: now + timedelta(seconds=value) if name != "used" else value for name, value in noted.items()
    }
    CallBudget.objects.create(connection=connection, **columns)

    HourlyBudget(connection.pk, background=True).take()

    in_half_an_hour = {name: now + timedelta(minutes=30) for name in columns if name != "used"}
    CallBudget.objects.update(used=10_000, **in_half_an_hour)
    with pytest.raises(RateLimited, match=words):
        HourlyBudget(connection.pk, background=True).take()


def test_of_two_waits_the_longer_holds(connection):
    HourlyBudget(connection.pk, background=True).blocked(300)
    HourlyBudget(connection.pk, background=True).blocked(1)

    with pytest.raises(RateLimited) as refused:
        HourlyBudget(connection.pk, background=True).take()

    assert 290 < refused.value.retry_after_seconds <= 300
    assert "asked us to wait" in refused.value.message and "in 5 min" in refused.value.message


@pytest.mark.parametrize("limit", [1, 2, 999_999_999])
def test_an_absurd_limit_lets_background_work_go_on(connection, limit):
    budget = HourlyBudget(connection.pk, background=True)
    budget.learn(limit, limit, 600)
    budget.close()

    HourlyBudget(connection.pk, background=True).take()

    assert get_row(connection) == {"limit": limit, "used": min(limit * 80 // 100 or 1, 20)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("spelling", ["delta", "epoch", "http-date", "iso"])
def test_ten_429s_of_a_second_stop_nothing_for_longer_than_they_say(sandbox, connection, spelling):
    """Each says that the hour's allowance is spent, and that the hour ends in a second."""
    sandbox.faults.add("rate_limited", path="/api/v2/users", times=10, retry_after=spelling, seconds=1)

    run = runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)
    row = CallBudget.objects.get(connection=connection)

    assert run.state == RunState.WAITING
    assert "hour" not in run.cause and "Outreach asks us to wait" in run.cause
    with time_machine.travel(timezone.now() + timedelta(seconds=3)):
        HourlyBudget(connection.pk, background=True).take()
    assert row.blocked_until - timezone.now() < timedelta(seconds=3)


@pytest.mark.parametrize("two_valued", [False, True])
def test_a_real_call_teaches_what_others_spent(sandbox, connection, two_valued):
    sandbox.settings.two_valued_remaining = two_valued
    sandbox.settings.hourly_limit = 5_000
    for _ in range(300):
        sandbox.allowance.spend(1)  # another application of the same person

    read_mailboxes(connection, "1", job="test")

    assert get_row(connection) == {"limit": 5_000, "used": 301}


def test_a_pause_that_outreach_asks_for_holds_for_every_session(sandbox, connection, bystander):
    at_work = HourlyBudget(connection.pk, background=True)
    at_work.take()
    HourlyBudget(connection.pk, background=False).blocked(300)
    sandbox.requests.clear()

    with pytest.raises(RateLimited) as refused:
        read_mailboxes(connection, "1", job="test")
    at_work._taken.at -= 2  # the other session looks again after a second
    with pytest.raises(RateLimited):
        at_work.take()

    assert 290 < refused.value.retry_after_seconds <= 300
    assert sandbox.requests == []
    read_mailboxes(bystander, "1", job="test")
    CallBudget.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
    at_work.take()


def test_a_spent_allowance_lets_a_sync_wait_without_a_call(sandbox, connection, small):
    take_all(HourlyBudget(connection.pk, background=True))

    run = runs.carry_out(runs.request_sync(connection, kind=SyncKind.FULL, actor="test").pk)

    assert (run.state, sandbox.requests) == (RunState.WAITING, [])
    assert run.resume_at is not None
    assert (run.resume_at - timezone.now()).total_seconds() > 3500


SPENDERS = """
import json, multiprocessing
from django.db import connections
from integrations.connection.call_budget import HourlyBudget
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


def test_four_processes_together_take_exactly_the_background_share(installation, sandbox):
    installation.connect("acme.example", sandbox.oauth.issue_tokens())

    taken = json.loads(installation.run(SPENDERS, OUTREACH_HOURLY_CALLS="1000", timeout=120))

    assert sum(taken) == 800
    assert installation.rows("select used from integrations_callbudget") == [(800,)]


@pytest.mark.parametrize("ahead", [timedelta(microseconds=1), timedelta(seconds=3), timedelta(minutes=4)])
def test_an_hour_begun_by_a_clock_a_little_ahead_is_not_begun_anew(connection, ahead):
    now = timezone.now()
    with time_machine.travel(now + ahead, tick=False):
        HourlyBudget(connection.pk, background=True).take()
    begun = CallBudget.objects.get(connection=connection)

    with time_machine.travel(now, tick=False):
        HourlyBudget(connection.pk, background=True).take()

    row = CallBudget.objects.get(connection=connection)
    assert (row.used, row.window_ends_at) == (2 * begun.used, begun.window_ends_at)
