"""Deliveries that a person, a revoked access or another process interrupts."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connections as db_connections
from django.utils import timezone

from integrations.connection import lifecycle
from integrations.models import Connection, ConnectionState
from portal.leases import Lease, LeaseLost
from signatures.delivery.deliver import carry_out
from signatures.delivery.originals import list_originals
from signatures.delivery.planning import plan_delivery
from signatures.delivery.runs import start_delivery, take_run
from signatures.models import DeliveryRun, DeliveryRunState, DeliveryState
from tests.support.deliveries import (
    PATCH,
    get_held,
    get_planned,
    get_writes,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_r3_access_revoked_in_outreach_ends_the_run_as_skipped(sandbox, started):
    planned = get_planned(started)
    sandbox.oauth.revoke_all()
    # Within a minute of the last renewal the run would wait for Outreach's throttle first.
    renewed_at = timezone.now() - timedelta(minutes=2)
    Connection.objects.filter(pk=started.connection_id).update(refreshed_at=renewed_at)

    run = carry_out(started.pk)

    assert (run.state, run.skipped, run.failed, run.delivered) == (
        DeliveryRunState.SKIPPED,
        len(planned),
        0,
        0,
    )
    assert Connection.objects.get(pk=started.connection_id).state == ConnectionState.LOST
    assert get_writes(sandbox) == []
    assert run.cause


def test_r3_originals_can_still_be_taken_away_after_access_is_lost(sandbox, started):
    before = get_held(sandbox)
    done = carry_out(started.pk)
    sandbox.oauth.revoke_all()
    Connection.objects.filter(pk=started.connection_id).update(state=ConnectionState.LOST)

    originals = {row.mailbox_id: row.original_html for row in list_originals(done.domain)}

    assert originals == {
        row.mailbox_remote_id: before[row.mailbox_remote_id]
        for row in done.deliveries.filter(state="delivered")
    }


def act_after_first_write(sandbox, act) -> threading.Thread:
    """Do `act` from another thread as soon as the sandbox has seen a write."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not get_writes(sandbox) and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            act()
        finally:
            db_connections.close_all()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_pause_stops_new_writes_within_five_seconds_and_resuming_finishes(sandbox, started):
    sandbox.faults.add("slow", **PATCH, times=None, seconds=1.5)
    planned = get_planned(started)
    paused_at: list[float] = []

    def pause() -> None:
        lifecycle.pause(Connection.objects.get(pk=started.connection_id), actor="test")
        paused_at.append(time.time())

    thread = act_after_first_write(sandbox, pause)
    paused = carry_out(started.pk)
    thread.join()

    assert (paused.state, paused.resume_at) == (DeliveryRunState.WAITING, None)
    late = [entry for entry in sandbox.requests if entry.method == "PATCH" and entry.at > paused_at[0] + 5]
    assert late == []
    assert 0 < paused.delivered < len(planned)
    sandbox.faults.clear()
    lifecycle.resume(Connection.objects.get(pk=started.connection_id), actor="test")
    run = carry_out(started.pk)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, len(planned))
    assert sorted(get_writes(sandbox)) == sorted(planned)


def test_disconnect_in_the_middle_ends_the_run_as_skipped(sandbox, started):
    sandbox.faults.add("slow", **PATCH, times=None, seconds=1.5)
    planned = get_planned(started)

    def leave() -> None:
        Connection.objects.filter(pk=started.connection_id).update(state=ConnectionState.DISCONNECTING)

    thread = act_after_first_write(sandbox, leave)
    run = carry_out(started.pk)
    thread.join()

    assert run.state == DeliveryRunState.SKIPPED
    assert run.failed == 0
    assert run.delivered + run.skipped == len(planned)
    assert 0 < run.delivered < len(planned)


def test_run_that_another_process_holds_is_left_alone(sandbox, started):
    lease = take_run(started.pk, "deliver")

    run = carry_out(started.pk)

    assert (run.state, list(sandbox.requests)) == (DeliveryRunState.RUNNING, [])
    lease.release(state=DeliveryRunState.QUEUED)
    assert carry_out(started.pk).state == DeliveryRunState.COMPLETE


def test_late_holder_of_a_lapsed_lease_changes_nothing(started):
    late = take_run(started.pk, "deliver")
    DeliveryRun.objects.filter(pk=started.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    take_run(started.pk, "deliver")

    with pytest.raises(LeaseLost):
        late.renew(delivered=99)

    assert DeliveryRun.objects.get(pk=started.pk).delivered == 0


def test_starting_anew_gives_up_what_was_halted_and_skips_its_mailboxes(sandbox, started, domain):
    sandbox.faults.add("forbidden", **PATCH, times=None)
    halted = carry_out(started.pk)
    sandbox.faults.clear()

    again = start_delivery(plan_delivery(domain, actor="test"), actor="test")

    halted.refresh_from_db()
    assert (halted.state, halted.cause) == (
        DeliveryRunState.SKIPPED,
        f"Ended because delivery {again.pk} was started.",
    )
    assert halted.planned == halted.settled + halted.skipped
    assert not halted.deliveries.filter(state=DeliveryState.PLANNED).exists()
    assert carry_out(again.pk).delivered == again.planned


def test_run_taken_over_while_it_wrote_leaves_the_taker_in_charge(sandbox, started):
    taken: list[Lease | None] = []

    def take_over(now: DeliveryRun) -> None:
        if not taken:
            DeliveryRun.objects.filter(pk=now.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            taken.append(take_run(now.pk, "deliver"))

    run = carry_out(started.pk, progress=take_over)

    assert run.state == DeliveryRunState.RUNNING
    assert run.delivered == 0
    taken[0].release(state=DeliveryRunState.QUEUED)
    sent = get_writes(sandbox)
    run = carry_out(started.pk)
    assert (run.state, run.delivered) == (DeliveryRunState.COMPLETE, run.planned)
    assert sorted(get_writes(sandbox)) == sorted(set(sent) | set(get_writes(sandbox)))
