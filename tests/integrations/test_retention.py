"""Old syncs and notices go; the last of each kind and outcome, and what others name, stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.connection.health import get_synced_at
from integrations.models import Notice, RejectedRecord, SyncRun
from integrations.retention import remove_old_syncs
from integrations.sync.watermarks import get_watermarks
from integrations.tasks import remove_old_syncs as task
from tests.support.connections import get_values
from tests.support.sync_runs import run_sync

pytestmark = pytest.mark.django_db(transaction=True)

KEPT = timedelta(days=90)
MINUTE = timedelta(minutes=1)


def add(connection, span=KEPT + MINUTE, *, kind="changes", state="complete"):
    at = timezone.now() - span
    return SyncRun.objects.create(
        connection=connection, kind=kind, state=state, created_at=at, started_at=at, finished_at=at
    )


def test_old_syncs_go_except_the_last_of_each_kind_and_state(connection, bystander):
    gone = [add(connection), add(connection), add(connection, state="failed"), add(connection, kind="people")]
    at_the_edge = add(connection, KEPT - MINUTE)
    SyncRun.objects.filter(pk=at_the_edge.pk).update(kind="full")
    kept = [add(connection), add(connection, state="failed"), add(connection, kind="people"), at_the_edge]
    named = add(connection, kind="full")
    RejectedRecord.objects.create(
        connection=connection, kind="person", remote_id="7", reason="Odd.", run=named
    )
    waits = add(connection, state="waiting")
    last_full = add(connection, kind="full")
    theirs = add(bystander)

    assert remove_old_syncs(writes=False)["syncs"] == len(gone)
    assert SyncRun.objects.filter(pk__in=[run.pk for run in gone]).count() == len(gone)
    assert remove_old_syncs()["syncs"] == len(gone)

    left = {run.pk for run in SyncRun.objects.all()}
    assert left == {run.pk for run in (*kept, named, waits, last_full, theirs)}
    assert remove_old_syncs()["syncs"] == 0


def test_after_pruning_the_next_sync_reads_on_from_where_the_last_one_ended(sandbox, mirrored):
    for _ in range(2):
        run_sync(mirrored, kind="changes")
    SyncRun.objects.update(finished_at=timezone.now() - KEPT - MINUTE)
    marks, synced_at, mirror = get_watermarks(mirrored), get_synced_at(mirrored), get_values(mirrored)

    task()

    assert SyncRun.objects.filter(connection=mirrored).count() == 2
    assert (get_watermarks(mirrored), get_synced_at(mirrored), get_values(mirrored)) == (
        marks,
        synced_at,
        mirror,
    )
    assert run_sync(mirrored, kind="changes").kind == "changes"


def test_ended_notices_go_and_open_ones_stay_however_old(connection, bystander):
    now = timezone.now()
    long_ago = now - 5 * KEPT
    for kind, ended_at in (("lost", now - KEPT - MINUTE), ("lapsing", now - KEPT + MINUTE), ("halted", None)):
        Notice.objects.create(
            connection=connection, kind=kind, audience="owners", began_at=long_ago, ended_at=ended_at
        )
    Notice.objects.create(connection=bystander, kind="lost", audience="owners", began_at=long_ago)

    task()

    left = Notice.objects.order_by("pk").values_list("connection", "kind")
    assert list(left) == [(connection.pk, "lapsing"), (connection.pk, "halted"), (bystander.pk, "lost")]


def test_rejected_records_stay_while_their_connection_lives(connection, bystander):
    old = timezone.now() - KEPT - MINUTE
    for each in (connection, bystander):
        RejectedRecord.objects.create(
            connection=each, kind="person", remote_id="7", reason="Odd.", first_seen_at=old, last_seen_at=old
        )
    type(bystander).objects.filter(pk=bystander.pk).update(state="disconnected")

    task()

    assert list(RejectedRecord.objects.values_list("connection", flat=True)) == [connection.pk]
