"""Totals: how many syncs ended, by kind and outcome, those included that retention removed.

Ended syncs are added to the kept totals once and then marked, so that reading counts only those that ended since.
"""

from __future__ import annotations

from django.db.models import Count, QuerySet, Value
from django.db.models.functions import Concat

from integrations.models import UNFINISHED, SyncRun
from portal.batches import change_rows
from portal.counters import Fresh, keep_sums, sum_fresh

RUNS = "countersign_runs_total"
"""domain, kind, outcome -> runs that ended."""


def count_ended(runs: QuerySet[SyncRun]) -> Fresh:
    """Return how many of these runs ended and are in no kept total."""
    ended = runs.filter(is_totalled=False).exclude(state__in=UNFINISHED)
    kind = Concat(Value("sync_"), "kind")
    return sum_fresh(RUNS, ended, "connection__domain__name", kind, "state", number=Count("pk"))


def total_ended() -> None:
    """Add the runs that ended since the last time to the kept totals."""
    ended = SyncRun.objects.filter(is_totalled=False).exclude(state__in=UNFINISHED)
    change_rows(ended, keep_totals)


def keep_totals(runs: QuerySet[SyncRun]) -> None:
    """Add these runs, all of which ended, to the kept totals, each once. Runs in the caller's transaction."""
    fresh = runs.filter(is_totalled=False).order_by("pk")
    ids = list(fresh.select_for_update().values_list("pk", flat=True))
    keep_sums(count_ended(SyncRun.objects.filter(pk__in=ids)))
    SyncRun.objects.filter(pk__in=ids).update(is_totalled=True)
