"""Runs of the sync: requested, carried out once, previewed, and found again when their process died."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.models import User

from .ledger import record_act
from .models import (
    UNFINISHED,
    Connection,
    RunState,
    SyncKind,
    SyncRun,
)
from .reading import LEASE, LeaseLost, Progress, Reading, get_watermarks
from .registry import NEEDED
from .signals import directory_synced
from .switches import say_why_dark

ALL_LISTINGS_EVERY = timedelta(minutes=15)
SLACK = timedelta(minutes=1)  # the queue starts no task to the second


class SyncRefused(Exception):
    """A sync cannot start now; the words say why."""


def request_sync(
    connection: Connection,
    *,
    kind: SyncKind,
    by: User | None = None,
    by_label: str,
    confirms_removals: bool = False,
) -> SyncRun:
    """A run waits to be carried out; `tasks.sync_directory` does it.

    kind: anything becomes FULL where no complete full run precedes it.
    confirms_removals: a person agreed that many rows may be retired at once.
    Raises SyncRefused: not connected, nothing granted to read, or a run is unfinished already.
    """
    _refuse_unreadable(connection)
    if get_watermarks(connection) is None:
        kind = SyncKind.FULL
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                connection=connection,
                kind=kind,
                started_by=by,
                started_by_label=by_label,
                confirms_removals=confirms_removals,
            )
            if by is not None:
                record_act(
                    "sync requested",
                    domain=connection.domain,
                    actor_label=by_label,
                    connection=connection,
                    job=f"sync {run.pk}",
                )
    except IntegrityError as error:
        raise SyncRefused(_describe_running(connection)) from error
    return run


def choose_regular_kind(connection: Connection) -> SyncKind:
    """Return what the next regular sync reads: people each time, teams and mailboxes every quarter of an hour.

    People change most and cost one call; the three listings every five minutes would take 315,000 calls
    a year of the 250,000 that the smallest plans hold.
    """
    read_all = connection.sync_runs.filter(state=RunState.COMPLETE).exclude(kind=SyncKind.PEOPLE)
    is_recent = read_all.filter(started_at__gt=timezone.now() - ALL_LISTINGS_EVERY + SLACK).exists()
    return SyncKind.PEOPLE if is_recent and connection.has_scope(NEEDED["people"]) else SyncKind.CHANGES


def _refuse_unreadable(connection: Connection) -> None:
    if not connection.is_usable:
        raise SyncRefused(
            connection.state_reason or "Outreach is not connected, so there is nothing to read."
        )
    if not any(connection.has_scope(scope) for scope in NEEDED.values()):
        reasons = " ".join(say_why_dark(connection, scope) for scope in NEEDED.values())
        raise SyncRefused(
            f"Outreach grants none of the permissions a sync needs, or they are off here. {reasons}"
        )


def _describe_running(connection: Connection) -> str:
    running = connection.sync_runs.filter(state__in=UNFINISHED).first()
    since = f" since {running.created_at:%H:%M} UTC, started by {running.started_by_label}" if running else ""
    return f"A sync is running already{since}. Its result will be here when it ends."


def carry_out(run_id: int, *, progress: Progress | None = None) -> SyncRun:
    """The run has ended, in a state that says how; its causes are on the row. Raises only our own bugs.

    A run that is claimed by somebody else, or over, is returned as it is.
    """
    claimed = SyncRun.objects.filter(pk=run_id, state__in=[RunState.QUEUED, RunState.WAITING]).update(
        state=RunState.RUNNING,
        started_at=timezone.now(),
        lease_until=timezone.now() + LEASE,
        resume_at=None,
        cause="",
        # One that had to wait reads from the beginning; what it changed before stays counted, as it was changed.
        **dict.fromkeys(("teams_read", "people_read", "mailboxes_read", "quarantined", "held_removals"), 0),
    )
    run = SyncRun.objects.select_related("connection__domain").get(pk=run_id)
    if not claimed:
        return run
    run.quarantined_records.all().delete()
    worker = Reading(run, progress=progress)
    try:
        with worker.ending():
            worker.read_everything()
    except LeaseLost:
        run.refresh_from_db()
        return run
    if run.state == RunState.COMPLETE:
        directory_synced.send(sender=SyncRun, run=run, connection=run.connection)
    return run


def preview(connection: Connection, *, kind: SyncKind, by_label: str) -> SyncRun:
    """Return an unsaved run with what a sync would read and change; nothing but the ledger is written.

    Raises: SyncRefused, as `request_sync`, and members of `integrations.errors`.
    """
    _refuse_unreadable(connection)
    if get_watermarks(connection) is None:
        kind = SyncKind.FULL
    run = SyncRun(connection=connection, kind=kind, started_by_label=by_label, started_at=timezone.now())
    Reading(run, writes=False).read_everything()
    return run


def end_lapsed_runs() -> list[SyncRun]:
    """Runs whose process died are marked interrupted; returns the runs requested in their place."""
    successors = []
    lapsed = SyncRun.objects.filter(state=RunState.RUNNING, lease_until__lt=timezone.now())
    for run in lapsed.select_related("connection__domain"):
        with transaction.atomic():
            ended = SyncRun.objects.filter(
                pk=run.pk, state=RunState.RUNNING, lease_until__lt=timezone.now()
            ).update(
                state=RunState.INTERRUPTED,
                finished_at=timezone.now(),
                cause="The process that carried it out ended before it was done. It was started again.",
            )
            if not ended:
                continue
            try:
                successors.append(
                    request_sync(
                        run.connection,
                        kind=SyncKind(run.kind),
                        by_label=run.started_by_label,
                        confirms_removals=run.confirms_removals,
                    )
                )
            except SyncRefused:
                continue  # disconnected meanwhile: there is nothing to start again
    return successors


def count_unfinished(connection: Connection) -> int:
    """Return how many runs of this connection may still call Outreach."""
    return connection.sync_runs.filter(state=RunState.RUNNING, lease_until__gte=timezone.now()).count()
