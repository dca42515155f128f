"""Totals: how many deliveries and restores ended and what became of their mailboxes, removed ones included.

Ended runs are added to the kept totals once and then marked, so that reading counts only those that ended since. One
that is retried counts as ended again when it ends again, and its mailboxes by every result they got: no total goes
down as the run is opened again.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Case, Count, Q, QuerySet, Sum, Value, When

from integrations.sync.totals import RUNS
from portal.batches import change_rows
from portal.counters import Fresh, Sums, add_sums, keep_sums, sum_fresh
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


def count_ended(runs: QuerySet[DeliveryRun]) -> list[Fresh]:
    """Return how many of these runs ended, by outcome, and their mailboxes, by result.

    Those that the kept totals contain are left out.
    """
    fresh = runs.filter(is_totalled=False)
    told = fresh.filter(Q(state__in=FINISHED) | Q(was_retried=True))
    kind = Case(*(When(kind=kind, then=Value(name)) for kind, name in KINDS.items()))
    ended = sum_fresh(
        RUNS, fresh.filter(state__in=FINISHED), "domain__name", kind, "state", number=Count("pk")
    )
    return [ended] + [
        sum_fresh(MAILBOXES, told, "domain__name", kind, Value(result), number=Sum(column))
        for column, result in RESULTS.items()
    ]


def total_ended() -> None:
    """Add the runs that ended since the last time to the kept totals."""
    change_rows(DeliveryRun.objects.filter(is_totalled=False, state__in=FINISHED), keep_totals)


def keep_totals(runs: QuerySet[DeliveryRun]) -> None:
    """Add those of these runs that ended to the kept totals, each once. Runs in the caller's transaction."""
    fresh = runs.filter(is_totalled=False, state__in=FINISHED).order_by("pk")
    ids = list(fresh.select_for_update().values_list("pk", flat=True))
    keep_sums(*count_ended(DeliveryRun.objects.filter(pk__in=ids)))
    DeliveryRun.objects.filter(pk__in=ids).update(is_totalled=True)


def keep_retried(run: DeliveryRun, taken: Mapping[str, int]) -> None:
    """Keep the results that a retry is about to take off the run, where metrics count it; its row counts for the rest.

    run: locked by the caller, in whose transaction this runs. taken: column -> mailboxes that are tried again.
    """
    is_over = run.state in FINISHED
    if not (is_over or run.was_retried):
        return
    domain, kind = run.domain.name, KINDS[run.kind]
    ended: Sums = {(domain, kind, run.state): 1} if is_over and not run.is_totalled else {}
    kept = {column: getattr(run, column) if run.is_totalled else 0 for column in RESULTS}
    mailboxes: Sums = {
        (domain, kind, result): taken.get(column, 0) - kept[column] for column, result in RESULTS.items()
    }
    add_sums({RUNS: ended, MAILBOXES: mailboxes})
    DeliveryRun.objects.filter(pk=run.pk).update(is_totalled=False, was_retried=True)
