"""Stages: a few mailboxes first, read back and waited for; limits stop a run by themselves, a person pauses it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.outreach.sandbox import Sandbox
from signatures.delivery.base import DeliveryBlocked
from signatures.delivery.control import pause_delivery
from signatures.delivery.deliver import carry_out
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import resume_delivery, start_delivery, stop_delivery
from signatures.delivery.stages import Rollout
from signatures.delivery.sweep import list_due_runs
from signatures.models import (
    Delivery,
    DeliveryRun,
    DeliveryRunState,
    DeliveryState,
    MailboxState,
    MailboxStatus,
)
from tests.support.deliveries import get_delivered, get_held, get_writes

pytestmark = pytest.mark.django_db(transaction=True)

STAGED = Rollout(sizes=(2, 3, None), pause_minutes=10)


def get_stage(run: DeliveryRun, number: int) -> list[str]:
    """Return the mailbox ids that the run was to write in a stage."""
    rows = run.deliveries.filter(stage=number).exclude(reason_code="not_editable").order_by("id")
    return list(rows.values_list("mailbox_remote_id", flat=True))


def let_pause_pass(run: DeliveryRun) -> None:
    DeliveryRun.objects.filter(pk=run.pk).update(resume_at=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def start(ready, domain) -> Callable[..., DeliveryRun]:
    def start_rollout(rollout: Rollout = STAGED, **options: Any) -> DeliveryRun:
        return start_delivery(plan_delivery(domain, actor="test", **options), actor="test", rollout=rollout)

    return start_rollout


def test_next_stage_begins_when_the_one_before_is_written_read_back_and_its_pause_is_over(sandbox, start):
    before = get_held(sandbox)
    run = start()
    sandbox.requests.clear()

    first = carry_out(run.pk)
    again = carry_out(run.pk)

    written = get_stage(run, 1)
    assert (first.state, first.cause_code, first.stage) == (DeliveryRunState.WAITING, "stage", 2)
    assert again.resume_at == first.resume_at > timezone.now() + timedelta(minutes=9)
    assert list_due_runs() == []
    assert sorted(get_writes(sandbox)) == sorted(written)
    assert [entry.method for entry in sandbox.requests][-1] == "GET"
    assert {id for id, html in get_held(sandbox).items() if html != before[id]} == set(written)
    rows = Delivery.objects.filter(run=run, stage=1, state=DeliveryState.DELIVERED)
    assert [row.read_back_sha256 == row.returned_sha256 for row in rows] == [True, True]

    let_pause_pass(run)
    assert list_due_runs() == [run.pk]
    second = carry_out(run.pk)
    assert (second.state, second.stage) == (DeliveryRunState.WAITING, 3)
    assert sorted(get_writes(sandbox)) == sorted(written + get_stage(run, 2))

    let_pause_pass(run)
    done = carry_out(run.pk)
    assert (done.state, done.delivered, done.settled) == (DeliveryRunState.COMPLETE, run.planned, run.planned)
    assert sorted(get_writes(sandbox)) == sorted(get_delivered(run))
    assert not run.deliveries.exclude(active_key=None).exists()


def test_stages_without_a_waiting_time_wait_for_a_person(sandbox, start):
    run = start(Rollout(sizes=(2, None), pause_minutes=None))

    waiting = carry_out(run.pk)

    assert (waiting.state, waiting.resume_at, waiting.held_by_label) == (DeliveryRunState.WAITING, None, "")
    assert waiting.held_at is not None
    assert list_due_runs() == []
    done = carry_out(resume_delivery(waiting, actor="test").pk)
    assert (done.state, done.delivered) == (DeliveryRunState.COMPLETE, run.planned)


def test_continuing_now_ends_the_pause_between_stages(sandbox, start):
    run = carry_out(start().pk)

    resume_delivery(run, actor="test")
    sandbox.requests.clear()
    run = carry_out(run.pk)

    assert run.stage == 3
    assert sorted(get_writes(sandbox)) == sorted(get_stage(run, 2))


def test_few_mailboxes_need_no_more_stages_than_they_fill(sandbox, start):
    assert start(Rollout(sizes=(5000, 50, None))).stages == [None]


def test_run_stops_by_itself_at_its_limit_of_refusals_and_goes_on_when_a_person_accepts(sandbox, start):
    run = start(Rollout(sizes=(4, None), pause_minutes=0, refusal_limit=2))
    for id in get_stage(run, 1)[:2]:
        sandbox.directory.set_editable(int(id), False)
    before = get_held(sandbox)
    sandbox.requests.clear()

    stopped = carry_out(run.pk)

    assert (stopped.state, stopped.cause_code, stopped.stage) == (DeliveryRunState.HALTED, "limit", 1)
    assert stopped.cause.startswith(
        "Stopped automatically in stage 1: 2 of its mailboxes were refused or failed"
    )
    assert get_writes(sandbox) == []
    assert get_held(sandbox) == before
    assert carry_out(run.pk).state == DeliveryRunState.HALTED

    done = carry_out(resume_delivery(stopped, actor="test").pk)
    assert (done.state, done.delivered) == (DeliveryRunState.COMPLETE, run.planned - 2)


def test_one_refusal_below_the_limit_stops_nothing(sandbox, start):
    run = start(Rollout(sizes=(4, None), pause_minutes=0, refusal_limit=2))
    sandbox.directory.set_editable(int(get_stage(run, 1)[0]), False)
    sandbox.directory.set_editable(int(get_stage(run, 2)[0]), False)

    done = carry_out(run.pk)

    assert (done.state, done.delivered) == (DeliveryRunState.COMPLETE, run.planned - 2)


def test_mailboxes_that_read_back_differently_stop_the_run_and_are_named(sandbox: Sandbox, start):
    run = start(Rollout(sizes=(2, None), pause_minutes=0, drift_limit=1))
    edited, other = get_stage(run, 1)

    def edit_when_written(request: Any) -> None:
        if request.method == "GET" and get_writes(sandbox) and "mailboxes" in request.path:
            sandbox.directory.set_signature(int(edited), "<p>Mine</p>")

    sandbox.requests.clear()
    sandbox.watchers.append(edit_when_written)

    stopped = carry_out(run.pk)

    assert (stopped.state, stopped.cause_code) == (DeliveryRunState.HALTED, "limit")
    assert "1 of its mailboxes were edited" in stopped.cause
    assert sorted(get_writes(sandbox)) == sorted([edited, other])
    states = dict(MailboxState.objects.values_list("mailbox__remote_id", "status"))
    assert (states[edited], states[other]) == (MailboxStatus.EDITED, MailboxStatus.UP_TO_DATE)


def carry_out_beside(run: DeliveryRun, sandbox: Sandbox) -> threading.Thread:
    """Carry the run out in a thread with slow answers; returns once something was written."""
    sandbox.watchers.append(lambda request: request.method == "PATCH" and time.sleep(1.2))
    worker = threading.Thread(target=carry_out, args=[run.pk])
    worker.start()
    ends_at = time.monotonic() + 20
    while not get_writes(sandbox) and time.monotonic() < ends_at:
        time.sleep(0.02)
    return worker


@pytest.mark.usefixtures("reads_beside_writers")
def test_pause_stops_a_writing_run_within_five_seconds_and_resume_goes_on(sandbox, start):
    run = start(Rollout())
    sandbox.requests.clear()
    worker = carry_out_beside(run, sandbox)

    asked_at = time.monotonic()
    pause_delivery(run, actor="ruth@acme.example")
    worker.join(timeout=20)
    took = time.monotonic() - asked_at
    run.refresh_from_db()
    written = len(get_writes(sandbox))

    assert took < 5
    assert (run.state, run.cause, run.cause_code) == (
        DeliveryRunState.WAITING,
        "Paused by ruth@acme.example.",
        "paused",
    )
    assert 0 < written < run.planned
    assert list_due_runs() == []
    assert carry_out(run.pk).state == DeliveryRunState.WAITING
    assert len(get_writes(sandbox)) == written
    sandbox.watchers.clear()
    done = carry_out(resume_delivery(run, actor="test").pk)
    assert (done.state, done.delivered) == (DeliveryRunState.COMPLETE, run.planned)
    assert len(get_writes(sandbox)) == run.planned


@pytest.mark.usefixtures("reads_beside_writers")
def test_stopping_a_writing_run_leaves_what_is_written_and_nothing_else(sandbox, start):
    before = get_held(sandbox)
    run = start(Rollout())
    sandbox.requests.clear()
    worker = carry_out_beside(run, sandbox)

    stop_delivery(run, actor="ruth@acme.example")
    worker.join(timeout=20)
    run.refresh_from_db()

    assert (run.state, run.cause) == (DeliveryRunState.SKIPPED, "Stopped by ruth@acme.example.")
    changed = {id for id, html in get_held(sandbox).items() if html != before[id]}
    assert changed == get_delivered(run) == set(get_writes(sandbox))
    assert run.delivered + run.skipped == run.planned
    assert not run.deliveries.exclude(active_key=None).exists()


def test_pause_of_what_waits_or_is_over(sandbox, start):
    run = start()

    paused = pause_delivery(run, actor="test")

    assert (paused.state, list_due_runs()) == (DeliveryRunState.WAITING, [])
    with pytest.raises(DeliveryBlocked, match="ended or already waits"):
        pause_delivery(paused, actor="test")
    stop_delivery(paused, actor="test")
    with pytest.raises(DeliveryBlocked, match="ended or already waits"):
        pause_delivery(paused, actor="test")
