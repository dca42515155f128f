"""Leases: taken by one process, renewed by conditional update, taken over after silence."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from integrations.models import Connection, RunState, SyncRun
from portal.leases import Lease, LeaseLost, is_free
from tests.support.installation import wait_until

LASTS = timedelta(minutes=2)


@pytest.fixture
def runs(domain, other_domain) -> list[SyncRun]:
    """Two runs of two connections: one to hold, and one that must not change."""
    connections = [Connection.objects.create(domain=each) for each in (domain, other_domain)]
    return [SyncRun.objects.create(connection=each, kind="full") for each in connections]


def take(run: SyncRun) -> Lease | None:
    return Lease.take(SyncRun, run.pk, is_free(), lasts=LASTS, state=RunState.RUNNING)


def get_state(run: SyncRun) -> tuple[str, bool, int]:
    run.refresh_from_db()
    return run.state, run.lease_until is not None, run.calls


@pytest.mark.django_db
def test_one_process_takes_a_row_and_a_second_none(runs):
    run, bystander = runs

    first, second = take(run), take(run)

    assert (first is None, second) == (False, None)
    assert (get_state(run), get_state(bystander)) == (("running", True, 0), ("queued", False, 0))


@pytest.mark.django_db
def test_a_row_that_is_not_due_is_not_taken(runs):
    assert Lease.take(SyncRun, runs[0].pk, Q(state=RunState.WAITING), lasts=LASTS) is None
    assert get_state(runs[0]) == ("queued", False, 0)


@pytest.mark.django_db
def test_a_holder_that_renews_keeps_the_row_and_one_that_is_silent_loses_it(runs):
    run, bystander = runs
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        lease = take(run)
        clock.shift(LASTS - timedelta(seconds=1))
        lease.renew(calls=1)
        clock.shift(LASTS - timedelta(seconds=1))
        early = take(run)
        clock.shift(timedelta(seconds=2))
        successor = take(run)

        assert (early, successor is None) == (None, False)
        for change in (lease.renew, lease.release):
            with pytest.raises(LeaseLost):
                change(calls=99)
        successor.renew(calls=2)

    assert (get_state(run), get_state(bystander)) == (("running", True, 2), ("queued", False, 0))


@pytest.mark.django_db
def test_a_released_row_is_free_at_once_or_from_an_instant_on(runs):
    run, later = runs
    take(run).release(state=RunState.COMPLETE, calls=3)
    take(later).release(free_at=timezone.now() + timedelta(seconds=30))

    assert get_state(run) == ("complete", False, 3)
    assert take(later) is None
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert take(later) is not None


@pytest.mark.django_db
def test_a_holder_whose_row_somebody_ended_changes_nothing(runs):
    lease = take(runs[0])
    SyncRun.objects.filter(pk=runs[0].pk).update(state=RunState.INTERRUPTED, lease_until=None)

    with pytest.raises(LeaseLost):
        lease.renew(state=RunState.COMPLETE)

    assert get_state(runs[0]) == ("interrupted", False, 0)


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_is_rolled_back_leaves_the_hold(runs):
    lease = take(runs[0])
    for _ in range(2):
        with pytest.raises(RuntimeError), transaction.atomic():
            lease.renew(calls=5)
            raise RuntimeError

    lease.renew(calls=1)

    assert get_state(runs[0]) == ("running", True, 1)


@pytest.mark.django_db(transaction=True)
def test_a_hold_that_was_renewed_often_asks_for_its_last_instant_alone(runs):
    lease = take(runs[0])
    assert lease is not None
    sizes = []

    for _ in range(5):
        with CaptureQueriesContext(database) as queries:
            lease.renew(calls=1)
        sizes.append(len(queries[-1]["sql"]))

    assert len(set(sizes)) == 1
    assert (get_state(runs[0]), get_state(runs[1])) == (("running", True, 1), ("queued", False, 0))


def wait_for_renewal(run: SyncRun) -> None:
    run.refresh_from_db()
    before = run.lease_until

    def is_renewed() -> bool:
        run.refresh_from_db()
        return bool(before and run.lease_until and run.lease_until > before)

    wait_until(is_renewed)


@pytest.mark.django_db(transaction=True)
def test_a_holder_at_a_long_step_keeps_its_short_lease_and_frees_it_soon_after(runs, settings):
    settings.LEASE_SECONDS = 0.6
    lease = take(runs[0])

    with lease.kept():
        for _ in range(3):
            wait_for_renewal(runs[0])
            assert (take(runs[0]), lease.is_current) == (None, True)
        lease.renew(calls=1)

    wait_until(lambda: take(runs[0]) is not None)  # it was killed, or went on without
    assert not lease.is_current
    with pytest.raises(LeaseLost):
        lease.renew(calls=99)
    assert (get_state(runs[0]), get_state(runs[1])) == (("running", True, 1), ("queued", False, 0))


@pytest.mark.django_db(transaction=True)
def test_a_holder_that_is_stuck_loses_its_lease_although_its_process_lives(runs, settings):
    settings.LEASE_SECONDS = 0.3
    lease = Lease.take(SyncRun, runs[0].pk, is_free(), lasts=timedelta(seconds=1), state=RunState.RUNNING)

    with lease.kept():
        wait_until(lambda: take(runs[0]) is not None)  # nothing of its own for longer than a second
        assert not lease.is_current
        with pytest.raises(LeaseLost):
            lease.renew(calls=99)

    assert (get_state(runs[0]), get_state(runs[1])) == (("running", True, 0), ("queued", False, 0))
