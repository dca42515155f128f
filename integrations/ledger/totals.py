"""Totals: how many calls were made, by endpoint and status, of which a scrape of metrics reads those that are new.

Each sum of a day says how many of its calls the kept totals contain: one that grows later, at whatever day, is new
again, and nothing is counted twice.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Case, CharField, F, QuerySet, Sum, Value, When
from django.db.models.functions import Cast

from integrations.models import LedgerChain, LedgerDay, Outcome
from portal.batches import BATCH
from portal.counters import Fresh, keep_sums, sum_fresh

CALLS = "countersign_outreach_calls_total"
"""domain, endpoint, status -> calls of every domain, ever; pruning takes nothing from it."""


def count_calls(days: QuerySet[LedgerDay]) -> Fresh:
    """Return how many calls of these days are in no kept total."""
    status = Case(
        When(outcome=Outcome.REFUSED, then=Value("blocked")),
        When(status=None, then=Value("unknown")),
        When(status=0, then=Value("none")),
        default=Cast("status", CharField()),
    )
    number = Sum(F("calls") - F("calls_totalled"))
    return sum_fresh(CALLS, _get_fresh(days), "chain__domain_name", "endpoint", status, number=number)


def total_calls() -> None:
    """Add the calls since the last time to the kept totals."""
    for key in LedgerChain.objects.values_list("pk", flat=True):
        while _total_some(key):
            pass


@transaction.atomic
def _total_some(key: int) -> bool:
    """Add some of a chain's calls, and return whether there were any. Its lock keeps everybody from writing more."""
    LedgerChain.objects.select_for_update().get(pk=key)
    fresh = _get_fresh(LedgerDay.objects.filter(chain=key)).order_by()
    days = LedgerDay.objects.filter(pk__in=list(fresh.values_list("pk", flat=True)[:BATCH]))
    keep_sums(count_calls(days))
    return days.update(calls_totalled=F("calls")) > 0


def _get_fresh(days: QuerySet[LedgerDay]) -> QuerySet[LedgerDay]:
    """Return those that the index of what is to be totalled has."""
    return days.filter(action="call", calls__gt=F("calls_totalled"))
