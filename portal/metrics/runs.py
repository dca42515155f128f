"""Runs: how many syncs, deliveries and restores ended and how, what became of mailboxes, and the last success."""

from __future__ import annotations

from django.db.models import Max

from integrations.models import RunState, SyncRun
from integrations.sync.totals import RUNS, count_ended
from portal.counters import Sums, read_sums
from signatures.delivery import totals
from signatures.delivery.totals import KINDS, MAILBOXES
from signatures.models import DeliveryRun, DeliveryRunState


def read_totals() -> dict[str, Sums]:
    """Return the counters RUNS and MAILBOXES: of the rows that are there, and of those that retention removed.

    Read again where retention removed some meanwhile: those would be counted twice or not at all, and a counter
    that goes down counts from nothing again.
    """
    while True:
        removed = read_sums(RUNS, MAILBOXES)
        deliveries, mailboxes = totals.count_ended(DeliveryRun.objects.all())
        present = {RUNS: count_ended(SyncRun.objects.all()) | deliveries, MAILBOXES: mailboxes}
        if read_sums(RUNS, MAILBOXES) == removed:
            return {name: _add(sums, removed.get(name, {})) for name, sums in present.items()}


def read_last_successes() -> Sums:
    """Return when the last run of each domain and kind was complete, in seconds since 1970."""
    syncs = SyncRun.objects.filter(state=RunState.COMPLETE).order_by()
    deliveries = DeliveryRun.objects.filter(state=DeliveryRunState.COMPLETE).order_by()
    ended = syncs.values_list("connection__domain__name", "kind").annotate(at=Max("finished_at"))
    found = {(domain, f"sync_{kind}"): at for domain, kind, at in ended}
    for domain, kind, at in deliveries.values_list("domain__name", "kind").annotate(at=Max("finished_at")):
        found[domain, KINDS[kind]] = at
    return {labels: at.timestamp() for labels, at in found.items() if at is not None}


def _add(one: Sums, other: Sums) -> Sums:
    return {labels: one.get(labels, 0) + other.get(labels, 0) for labels in one.keys() | other.keys()}
