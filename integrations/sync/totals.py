"""Totals: how many syncs ended, by kind and outcome, those included that retention removed."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from integrations.models import UNFINISHED, SyncRun
from portal.counters import Sums, add_sums

RUNS = "countersign_runs_total"
"""domain, kind, outcome -> runs that ended."""


def count_ended(runs: QuerySet[SyncRun]) -> Sums:
    """Return how many of these runs ended, by domain, kind and outcome."""
    ended = runs.exclude(state__in=UNFINISHED).order_by()
    rows = ended.values_list("connection__domain__name", "kind", "state").annotate(number=Count("pk"))
    return {(domain, f"sync_{kind}", state): number for domain, kind, state, number in rows}


def keep_totals(runs: QuerySet[SyncRun]) -> None:
    """Count these runs on, which are removed in the same transaction."""
    add_sums(RUNS, count_ended(runs))
