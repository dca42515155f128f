"""Totals: how many deliveries and restores ended and what became of their mailboxes, removed ones included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, QuerySet, Sum

from integrations.sync.totals import RUNS
from portal.counters import Sums, add_sums
from signatures.models import DeliveryRun, DeliveryRunState

FINISHED = (DeliveryRunState.COMPLETE, DeliveryRunState.FAILED, DeliveryRunState.SKIPPED)
MAILBOXES = "countersign_delivered_mailboxes_total"
"""domain, kind, result -> mailboxes of runs that ended."""
RESULTS = {
    "delivered": "delivered",
    "unchanged": "unchanged",
    "refused": "blocked",
    "failed": "failed",
    "skipped": "skipped",
}
"""Column of a run -> the result as pages name it."""
KINDS = {DeliveryRun.Kind.DELIVER.value: "delivery", DeliveryRun.Kind.RESTORE.value: "restore"}


def count_ended(runs: QuerySet[DeliveryRun]) -> tuple[Sums, Sums]:
    """Return how many of these runs ended, by outcome, and their mailboxes, by result; both by domain and kind."""
    ended: Sums = {}
    mailboxes: Sums = {}
    found = runs.filter(state__in=FINISHED).order_by().values("domain__name", "kind", "state")
    rows: Iterable[Any] = found.annotate(
        number=Count("pk"), **{f"of_{column}": Sum(column) for column in RESULTS}
    )
    for row in rows:
        domain, kind = row["domain__name"], KINDS[row["kind"]]
        ended[domain, kind, row["state"]] = row["number"]
        for column, result in RESULTS.items():
            key = (domain, kind, result)
            mailboxes[key] = mailboxes.get(key, 0) + row[f"of_{column}"]
    return ended, mailboxes


def keep_totals(runs: QuerySet[DeliveryRun]) -> None:
    """Count these runs on, which are removed in the same transaction."""
    ended, mailboxes = count_ended(runs)
    add_sums(RUNS, ended)
    add_sums(MAILBOXES, mailboxes)
