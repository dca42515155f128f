"""Runs in progress: syncs, plans, deliveries, restores, disconnects and imports, and which of them are stuck."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse

from integrations.models import UNFINISHED, Connection, ConnectionState, DisconnectStep, SyncRun
from signatures.models import MOVING, UNFINISHED_DELIVERY, DeliveryRun, DeliveryRunState, SenderImport

STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class RunInProgress:
    """What a worker carries out and is not over. kind: as metrics name it.

    overdue_seconds: how long it is due without a process that holds it; 0 where it is not due, or waits for a person.
    is_stuck: that is longer than five minutes.
    """

    title: str
    domain: str
    kind: str
    state: str
    started_at: datetime | None
    progress: str
    url: str
    overdue_seconds: int
    is_stuck: bool


def list_runs(now: datetime, connections: Iterable[Connection]) -> list[RunInProgress]:
    """Return everything that is not over, the oldest of each kind first. connections: those that are not ended."""
    leaving = [each for each in connections if each.state == ConnectionState.DISCONNECTING]
    return [
        *_list_syncs(now),
        *_list_deliveries(now),
        *(_describe_disconnect(each, now) for each in leaving),
        *_list_imports(now),
    ]


def _list_syncs(now: datetime) -> Iterator[RunInProgress]:
    rows = SyncRun.objects.filter(state__in=UNFINISHED).select_related("connection__domain")
    for run in rows.order_by("created_at"):
        domain = run.connection.domain.name
        overdue = _measure_overdue(now, run.created_at, run.resume_at, run.lease_until)
        yield RunInProgress(
            str(run.get_kind_display()),
            domain,
            f"sync_{run.kind}",
            str(run.get_state_display()),
            run.started_at or run.created_at,
            f"{run.people_read:,} people and {run.mailboxes_read:,} mailboxes read",
            reverse("integrations:run", args=[domain, run.pk]),
            round(overdue.total_seconds()),
            overdue > STUCK_AFTER,
        )


def _list_deliveries(now: datetime) -> Iterator[RunInProgress]:
    moving = (DeliveryRunState.PLANNING, *UNFINISHED_DELIVERY)
    rows = DeliveryRun.objects.filter(state__in=moving).select_related("domain", "connection")
    for run in rows.order_by("created_at"):
        waits_for_person = run.held_at is not None or (
            run.state == DeliveryRunState.WAITING and run.connection.paused_at is not None
        )
        overdue = (
            timedelta()
            if waits_for_person
            else _measure_overdue(now, run.created_at, run.queued_at, run.resume_at, run.lease_until)
        )
        yield RunInProgress(
            run.job_label.capitalize(),
            run.domain.name,
            run.job_label.split()[0],
            str(run.get_state_display()),
            run.started_at or run.created_at,
            f"{run.settled:,} of {run.planned:,} mailboxes",
            reverse("signatures:delivery_run", args=[run.domain.name, run.pk]),
            round(overdue.total_seconds()),
            overdue > STUCK_AFTER,
        )


def _describe_disconnect(connection: Connection, now: datetime) -> RunInProgress:
    """Return a disconnect; while originals are restored, the restore is what may be stuck."""
    is_revoking = connection.disconnect_step == DisconnectStep.REVOKING
    began = connection.state_changed_at
    overdue = _measure_overdue(now, began, connection.disconnect_lease_until) if is_revoking else timedelta()
    return RunInProgress(
        "Disconnect",
        connection.domain.name,
        "disconnect",
        str(connection.get_state_display()),
        connection.disconnect_requested_at,
        str(connection.get_disconnect_step_display()),
        reverse("integrations:outreach", args=[connection.domain.name]),
        round(overdue.total_seconds()),
        overdue > STUCK_AFTER,
    )


def _list_imports(now: datetime) -> Iterator[RunInProgress]:
    rows = SenderImport.objects.filter(state__in=MOVING).select_related("domain")
    for each in rows.defer("content").order_by("pk"):
        overdue = _measure_overdue(now, each.queued_at, each.lease_until)
        yield RunInProgress(
            f"Import {each.pk}",
            each.domain.name,
            "import",
            str(each.get_state_display()),
            each.queued_at,
            f"{each.lines_read:,} of {each.lines:,} lines read",
            reverse("signatures:value_import", args=[each.domain.name, each.pk]),
            round(overdue.total_seconds()),
            overdue > STUCK_AFTER,
        )


def _measure_overdue(now: datetime, *instants: datetime | None) -> timedelta:
    """Return how long the last of these instants is over: asked for, due again, or held until then."""
    return max(now - max(at for at in instants if at is not None), timedelta())
