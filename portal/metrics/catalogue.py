"""Catalogue: every metric with its labels and meaning, and how it is read from the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils import timezone

from integrations.connection.health import SMALLEST_PLAN
from integrations.ledger.totals import CALLS, count_calls
from integrations.models import Connection, LedgerDay, SyncRun
from integrations.sync import totals as syncs
from integrations.sync.totals import RUNS
from portal import __version__
from portal.background import LONG, SHORT
from portal.counters import Sums, read_sums
from portal.status.collect import (
    ConnectionStatus,
    Queue,
    count_queue,
    describe_connections,
    list_open_connections,
    list_schedules,
)
from portal.status.database import measure_database
from portal.status.runs_in_progress import RunInProgress, list_runs
from portal.worker.heartbeat import get_worker
from portal.worker.machines import MachineState, list_machines
from signatures.delivery import totals as deliveries
from signatures.delivery.totals import MAILBOXES, RESULTS
from signatures.models import DeliveryRun
from signatures.senders.team_counts import list_domain_statuses

from .runs import read_last_successes

QUEUES = {"short": SHORT, "long": LONG}


class Rows:
    """What several metrics need, read once for each answer."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or timezone.now()

    @cached_property
    def sums(self) -> Mapping[str, Sums]:
        return read_sums(
            count_calls(LedgerDay.objects.all()),
            syncs.count_ended(SyncRun.objects.all()),
            *deliveries.count_ended(DeliveryRun.objects.all()),
        )

    @cached_property
    def queues(self) -> Mapping[str, Queue]:
        return {name: count_queue(self.now, queue) for name, queue in QUEUES.items()}

    @cached_property
    def machines(self) -> list[MachineState]:
        return list_machines()

    @cached_property
    def runs(self) -> list[RunInProgress]:
        return list_runs(self.now, self.open_connections)

    @cached_property
    def connections(self) -> list[ConnectionStatus]:
        return describe_connections(self.open_connections, self.now)

    @cached_property
    def open_connections(self) -> list[Connection]:
        """The connections that are not ended."""
        return list_open_connections()

    @cached_property
    def calls_used(self) -> Sums:
        """Domain and window -> calls of this hour, and of this calendar year in the domain's zone."""
        hours: Sums = {(row.domain, "hour"): row.used for row in self.connections}
        return hours | {(row.domain, "year"): row.used_this_year for row in self.connections}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. kind: gauge, counter or histogram; labels: the last of a histogram's, its bucket, is left out.

    read: returns label values, in the order of `labels`, -> value; None where they are sums of `portal.counters`.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    read: Callable[[Rows], Sums] | None = None


def _word(label: str) -> str:
    """Return a page's label as a label value: 'not seen' as 'not_seen'."""
    return label.lower().replace(" ", "_")


def _count(labels: Iterable[tuple[str, ...]]) -> Sums:
    return dict(Counter(labels).items())


def _read_calls_left(rows: Rows) -> Sums:
    limits: Sums = {(row.domain, "hour"): row.limit for row in rows.connections}
    return {
        labels: max(limits.get(labels, SMALLEST_PLAN) - used, 0) for labels, used in rows.calls_used.items()
    }


def _read_mailboxes(rows: Rows) -> Sums:
    """Return every result of each domain and kind, also those that no mailbox got."""
    found = rows.sums.get(MAILBOXES, {})
    return {(domain, kind, result): 0 for domain, kind, _ in found for result in RESULTS.values()} | found


def _read_token_ages(rows: Rows) -> Sums:
    return {
        (row.domain,): (rows.now - row.refreshed_at).total_seconds()
        for row in rows.connections
        if row.refreshed_at is not None
    }


def _read_heartbeat_age(rows: Rows) -> Sums:
    ages = {(name,): get_worker(queue).age_seconds for name, queue in QUEUES.items()}
    return {labels: age for labels, age in ages.items() if age is not None}


def _read_queues(rows: Rows) -> Sums:
    waiting: Sums = {(name, "waiting"): queue.waiting for name, queue in rows.queues.items()}
    return waiting | {(name, "taken"): queue.taken for name, queue in rows.queues.items()}


METRICS = (
    Metric(
        "countersign_build_info", "gauge", ("version",),
        "1, with the version of the process that answers.",
        lambda rows: {(__version__,): 1},
    ),
    # ── Outreach ─────────────────────────────────────────────────────────────────────────────────
    Metric(
        CALLS, "counter", ("domain", "endpoint", "status"),
        "Calls to Outreach by HTTP status; `none`: no answer came, `blocked`: it never left, "
        "`unknown`: counted by an earlier version.",
    ),
    Metric(
        "countersign_outreach_calls_used", "gauge", ("domain", "window"),
        "Calls of the present `hour` and calendar `year`.",
        lambda rows: rows.calls_used,
    ),
    Metric(
        "countersign_outreach_calls_left", "gauge", ("domain", "window"),
        "Calls left of the `hour`, and in the `year` of the 250,000 of Outreach's smallest plan.",
        _read_calls_left,
    ),
    Metric(
        "countersign_connections", "gauge", ("domain", "state"),
        "1 for each open connection, with its state, such as `connected`.",
        lambda rows: {(row.domain, _word(row.state)): 1 for row in rows.connections},
    ),
    Metric(
        "countersign_access_token_age_seconds", "gauge", ("domain",),
        "Since a connection's tokens were renewed; at 14 days they are lost.",
        _read_token_ages,
    ),
    # ── Runs ─────────────────────────────────────────────────────────────────────────────────────
    Metric(
        RUNS, "counter", ("domain", "kind", "outcome"),
        "Syncs, deliveries and restores that ended.",
    ),
    Metric(
        "countersign_runs_unfinished", "gauge", ("domain", "kind", "state"),
        "Runs, plans, disconnects and imports that are not over.",
        lambda rows: _count((run.domain, run.kind, _word(run.state)) for run in rows.runs),
    ),
    Metric(
        "countersign_run_last_success_timestamp_seconds", "gauge", ("domain", "kind"),
        "When the last complete run ended.",
        lambda rows: read_last_successes(),
    ),
    Metric(
        MAILBOXES, "counter", ("domain", "kind", "result"),
        "Mailboxes of deliveries and restores that ended.",
        _read_mailboxes,
    ),
    Metric(
        "countersign_mailboxes", "gauge", ("domain", "status"),
        "Live mailboxes by status; `edited` and `emptied` are drift.",
        lambda rows: list_domain_statuses(),
    ),
    # ── Worker ───────────────────────────────────────────────────────────────────────────────────
    Metric(
        "countersign_queue_tasks", "gauge", ("queue", "state"),
        "Background tasks of the `short` and `long` queue: `waiting`, or `taken` by a worker.",
        _read_queues,
    ),
    Metric(
        "countersign_queue_oldest_seconds", "gauge", ("queue",),
        "How long the oldest waiting task waits.",
        lambda rows: {(name,): queue.oldest_seconds or 0 for name, queue in rows.queues.items()},
    ),
    Metric(
        "countersign_run_overdue_seconds", "gauge", (),
        "How long the longest due run is without a worker that holds it.",
        lambda rows: {(): max((run.overdue_seconds for run in rows.runs), default=0)},
    ),
    Metric(
        "countersign_workers", "gauge", ("state",),
        "Supervisors with a worker: `alive`, or `not_seen` lately.",
        lambda rows: {("alive",): 0, ("not_seen",): 0} | _count((_word(one.state),) for one in rows.machines),
    ),
    Metric(
        "countersign_worker_memory_bytes", "gauge", ("machine",),
        "Resident memory of the worker processes of a machine.",
        lambda rows: _sum_memory(rows.machines),
    ),
    Metric(
        "countersign_worker_heartbeat_age_seconds", "gauge", ("queue",),
        "Since a worker of the queue last finished a task, or was at one.",
        _read_heartbeat_age,
    ),
    Metric(
        "countersign_schedules", "gauge", ("state",),
        "Schedules by the outcome of their last run.",
        lambda rows: _count((_word(one.state),) for one in list_schedules(rows.now)),
    ),
    # ── Banners, pages, database ─────────────────────────────────────────────────────────────────
    Metric(
        "countersign_banner_requests_total", "counter", ("kind", "status"),
        "Requests of `image`, `click` and `media` addresses by HTTP status.",
    ),
    Metric(
        "countersign_decision_duration_seconds", "histogram", ("way",),
        "How long a decision took, a look-up in Outreach included.",
    ),
    Metric(
        "countersign_http_requests_total", "counter", ("view", "status"),
        "Requests of pages and the API by HTTP status; `none`: no view has that address.",
    ),
    Metric(
        "countersign_http_request_duration_seconds", "histogram", ("view",),
        "How long an answer took; of a download, until its last part was made and taken.",
    ),
    Metric(
        "countersign_database_size_bytes", "gauge", (),
        "Size of the database.",
        lambda rows: {(): measure_database().size_bytes},
    ),
)  # fmt: skip


def _sum_memory(machines: Iterable[MachineState]) -> Sums:
    sums: Sums = {}
    for one in machines:
        sums[one.name,] = sums.get((one.name,), 0) + one.memory_mb * 2**20
    return sums
