"""Runs: request a sync, carry it out once, and restart it when its process ended early."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from integrations.catalogue import get_provider
from integrations.connection.permissions import get_block_reason
from integrations.ledger.record import record_act
from integrations.models import READ_TO_END, UNFINISHED, Connection, RunState, SyncKind, SyncRun
from integrations.signals import directory_synced
from portal.leases import Lease, LeaseLost
from portal.models import User
from portal.trace import get_trace, traced

from .reader import Reading
from .run_row import Progress
from .watermarks import get_watermarks

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than one call can take; it is renewed before a page is asked for again
ALL_LISTINGS_EVERY = timedelta(minutes=15)
READ_BACK_AFTER = timedelta(hours=12)
SLACK = timedelta(minutes=1)  # the queue starts no task to the second


LISTS_MAILBOXES = (SyncKind.FULL, SyncKind.MAILBOXES)
"""Kinds of run that read every mailbox, changed or not."""


class SyncRefused(Exception):
    """A sync cannot start now; the words say why."""


def request_sync(
    connection: Connection,
    *,
    kind: SyncKind,
    by: User | None = None,
    actor: str,
    confirms_removals: bool = False,
    wakes_waiting: bool = True,
) -> SyncRun:
    """A run waits to be carried out; `tasks.sync_directory` does it.

    kind: anything becomes FULL where no complete full run precedes it, or where it joins a run that waits.
    confirms_removals: a person agreed that many rows may be retired at once.
    wakes_waiting: a run that waits out an outage is tried now, in place of a second one.
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
                started_by_label=actor,
                confirms_removals=confirms_removals,
            )
            _record_request(run, by)
    except IntegrityError as error:
        waiting = _join_waiting(
            connection, kind=kind, confirms_removals=confirms_removals, wakes=wakes_waiting
        )
        if waiting is None:
            raise SyncRefused(_describe_running(connection)) from error
        _record_request(waiting, by)
        return waiting
    return run


def _record_request(run: SyncRun, by: User | None) -> None:
    if by is not None:
        record_act(
            "sync requested",
            domain=run.connection.domain,
            actor_label=by.email,
            connection=run.connection,
            job=f"sync {run.pk}",
        )


def _join_waiting(
    connection: Connection, *, kind: SyncKind, confirms_removals: bool, wakes: bool
) -> SyncRun | None:
    """Return the waiting run, which now reads what was asked for too and is due; None where there is none to wake.

    One that is not to be woken still reads everything next time, where that was asked for.
    """
    changes: dict[str, object] = {"resume_at": timezone.now(), "trace": get_trace()} if wakes else {}
    if kind in LISTS_MAILBOXES:
        changes["kind"] = SyncKind.FULL
    if confirms_removals:
        changes["confirms_removals"] = True
    waiting = connection.sync_runs.filter(state=RunState.WAITING)
    if not changes or not waiting.update(**changes):
        return None
    return waiting.first() if wakes else None


def choose_regular_kind(connection: Connection) -> SyncKind:
    """Return what the next regular sync reads: people each time, teams and mailboxes every quarter of an hour.

    People change most and cost one call; the three listings every five minutes would take 315,000 calls
    a year of the 250,000 that the smallest plans hold.
    """
    ended = connection.sync_runs.filter(state__in=READ_TO_END)
    read_all = ended.filter(kind__in=[SyncKind.CHANGES, SyncKind.FULL])
    is_recent = read_all.filter(started_at__gt=timezone.now() - ALL_LISTINGS_EVERY + SLACK).exists()
    reads_people = connection.has_scope(get_provider().listing_scopes["people"])
    return SyncKind.PEOPLE if is_recent and reads_people else SyncKind.CHANGES


def is_read_back_due(connection: Connection) -> bool:
    """Return whether every mailbox is to be read again tonight: no run that lists them all began of late."""
    ended = connection.sync_runs.filter(state__in=READ_TO_END, kind__in=LISTS_MAILBOXES)
    return not ended.filter(started_at__gt=timezone.now() - READ_BACK_AFTER).exists()


def _refuse_unreadable(connection: Connection) -> None:
    if not connection.is_usable:
        raise SyncRefused(
            connection.state_reason or "Outreach is not connected, so there is nothing to read."
        )
    scopes = get_provider().listing_scopes.values()
    if not any(connection.has_scope(scope) for scope in scopes):
        reasons = " ".join(get_block_reason(connection, scope) for scope in scopes)
        raise SyncRefused(
            f"Outreach grants none of the permissions a sync needs, or they are off here. {reasons}"
        )


def _describe_running(connection: Connection) -> str:
    running = connection.sync_runs.filter(state__in=UNFINISHED).first()
    since = f" since {running.created_at:%H:%M} UTC, started by {running.started_by_label}" if running else ""
    return f"A sync is running already{since}. Its result appears here when it ends."


def carry_out(run_id: int, *, progress: Progress | None = None) -> SyncRun:
    """The run has ended, in a state that says how; its causes are on the row. Raises only our own bugs.

    A run that is claimed by somebody else, or over, is returned as it is.
    """
    # One that had to wait reads from the beginning; what it changed before stays counted, as it was changed.
    names = ("teams_read", "people_read", "mailboxes_read", "rejected", "held_removals")
    from_start: dict[str, Any] = dict.fromkeys(names, 0)
    lease = Lease.take(
        SyncRun,
        run_id,
        Q(state__in=[RunState.QUEUED, RunState.WAITING]),
        lasts=LEASE,
        state=RunState.RUNNING,
        started_at=timezone.now(),
        resume_at=None,
        cause="",
        unknown_values=[],
        **from_start,
    )
    run = SyncRun.objects.select_related("connection__domain").get(pk=run_id)
    if lease is None:
        return run
    with traced(run.trace, run=f"sync {run.pk}", domain=run.connection.domain.name):
        try:
            with lease.kept():
                Reading(run, lease=lease, progress=progress).carry_out()
        except LeaseLost:
            run.refresh_from_db()
            return run
        logger.info("Sync %s: %s, %s changes", run.pk, run.state, run.total_changes)
        if run.state in READ_TO_END:
            directory_synced.send(sender=SyncRun, run=run, connection=run.connection)
    return run


def preview(connection: Connection, *, kind: SyncKind, actor: str) -> SyncRun:
    """Return an unsaved run with what a sync would read and change; nothing but the ledger is written.

    Raises: SyncRefused, as `request_sync`, and members of `integrations.errors`.
    """
    _refuse_unreadable(connection)
    if get_watermarks(connection) is None:
        kind = SyncKind.FULL
    run = SyncRun(connection=connection, kind=kind, started_by_label=actor, started_at=timezone.now())
    reading = Reading(run)
    reading.read_everything()
    run.state, run.cause = reading.judge()
    return run


def end_lapsed_runs() -> list[SyncRun]:
    """Runs whose process died are marked interrupted; returns the runs requested in their place."""
    successors = []
    lapsed = SyncRun.objects.filter(state=RunState.RUNNING, lease_until__lt=timezone.now())
    for run in lapsed.select_related("connection__domain"):
        with traced(run.trace), transaction.atomic():
            ended = SyncRun.objects.filter(
                pk=run.pk, state=RunState.RUNNING, lease_until__lt=timezone.now()
            ).update(
                state=RunState.INTERRUPTED,
                lease_until=None,
                finished_at=timezone.now(),
                cause="The process ended before the sync was complete. The sync was started again.",
            )
            if not ended:
                continue
            try:
                successors.append(
                    request_sync(
                        run.connection,
                        kind=SyncKind(run.kind),
                        actor=run.started_by_label,
                        confirms_removals=run.confirms_removals,
                    )
                )
            except SyncRefused:
                continue  # disconnected meanwhile: there is nothing to start again
    return successors


def count_unfinished(connection: Connection) -> int:
    """Return how many runs of this connection may still call Outreach."""
    return connection.sync_runs.filter(state=RunState.RUNNING, lease_until__gte=timezone.now()).count()
